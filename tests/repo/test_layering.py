"""Imports point down only: gateway -> fastpath, protocols -> pure modules, never in a circle."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.repo.tree import imports, modules

STDLIB = sys.stdlib_module_names

# What a worker may hold besides the standard library.
FASTPATH_MAY = {"awscrt", "fastpath", "httptools", "uvloop"}

# The folders of the data plane, highest first: nothing imports what stands above it, not even for
# its types. What is written as two words is a module of the ground floor.
FOLDERS = [
    "worker",
    "client",
    "exchange",
    "composed",
    "upstream",
    "request",
    "forms",
    "dialects",
    "payload",
    "custom",
    "renaming",
    "routing",
    "response",
    "signing",
    "s3",
    "http",
    "sockets",
    "ipc",
    "limits",
    "errors",
    "state_table",
]

# Pure folders: bytes in, bytes out. They know no sockets, no loop, no clock.
PURE = {
    "request",
    "forms",
    "dialects",
    "payload",
    "renaming",
    "routing",
    "response",
    "signing",
    "s3",
    "http",
    "limits",
    "errors",
    "state_table",
}
PURE_MAY_NOT = {"asyncio", "socket", "select", "selectors", "ssl", "threading", "uvloop", "time"}

# Pure modules of other folders.
PURE_TOO = {
    "fastpath.client.deadlines",
    "fastpath.client.lifetime",
    "fastpath.client.states",
    "fastpath.custom.answer",
    "fastpath.custom.messages",
    "fastpath.exchange.error_code",
    "fastpath.upstream.filter_chain",
    "fastpath.exchange.form_upload",
    "fastpath.exchange.states",
    "fastpath.exchange.upload_body",
    "fastpath.ipc.access_log",
    "fastpath.ipc.frames",
    "fastpath.sockets.diagnosis",
    "fastpath.upstream.breaker",
    "fastpath.upstream.bucket_regions",
    "fastpath.upstream.own_request",
    "fastpath.upstream.retry",
}


DATA_PLANE = [module for module in modules() if module.name.partition(".")[0] == "fastpath"]


def test_the_data_plane_imports_only_what_it_may() -> None:
    foreign = {
        f"{module.name} imports {name}"
        for module in DATA_PLANE
        for name in imports(module)
        if name.partition(".")[0] not in STDLIB | FASTPATH_MAY
    }
    assert not foreign


def test_only_the_worker_chooses_the_loop() -> None:
    users = {module.name for module in modules() if "uvloop" in set(imports(module))}
    assert users == {"fastpath.worker.process"}


def test_only_one_module_of_the_data_plane_parses_xml() -> None:
    parsers = ("xml.parsers", "xml.etree", "xml.dom", "xml.sax.expatreader", "pyexpat")
    users = {m.name for m in DATA_PLANE if any(n.startswith(parsers) for n in imports(m))}
    assert users == {"fastpath.s3.xml_reader"}


def _folder(name: str) -> str:
    """The folder of a module of the data plane; a module of the ground floor is its own."""
    return name.split(".")[1]


def test_pure_modules_know_no_sockets_and_no_clock() -> None:
    names = {module.name for module in DATA_PLANE}
    assert names >= PURE_TOO
    impure = {
        f"{module.name} imports {name}"
        for module in DATA_PLANE
        if module.name in PURE_TOO or (module.name.count(".") and _folder(module.name) in PURE)
        for name in imports(module)
        if name.partition(".")[0] in PURE_MAY_NOT
    }
    assert not impure


def test_every_folder_of_the_data_plane_has_its_place() -> None:
    assert {_folder(one.name) for one in DATA_PLANE if one.name.count(".")} == set(FOLDERS)


def test_imports_point_down_with_types_included() -> None:
    upward = {
        f"{module.name} imports {name}"
        for module in DATA_PLANE
        if module.name.count(".")
        for name in imports(module)
        if name.startswith("fastpath.")
        and FOLDERS.index(_folder(name)) < FOLDERS.index(_folder(module.name))
    }
    assert not upward


def _circles(*, at_run_time: bool) -> set[frozenset[str]]:
    """Sets of modules that import each other, directly or by way of others."""
    graph = {
        module.name: set(imports(module, at_run_time=at_run_time)) - {module.name}
        for module in modules()
    }
    reached: dict[str, set[str]] = {}
    for name in graph:
        found, waiting = set[str](), [name]
        while waiting:
            new = graph.get(waiting.pop(), set()) & graph.keys() - found
            found |= new
            waiting.extend(new)
        reached[name] = found
    return {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in graph
        if name in reached[name]
    }


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert not _circles(at_run_time=True)


def test_no_module_of_the_data_plane_knows_its_own_users_types() -> None:
    circles = {
        circle
        for circle in _circles(at_run_time=False)
        if all(name.startswith("fastpath.") for name in circle)  # a fork imports control later
    }
    assert not circles


_RUST_FREE = """
import sys
{imports}
loaded = {{name.partition(".")[0] for name in sys.modules}}
bad = loaded & {{"orjson", "pydantic", "pydantic_core", "cryptography", "yaml", "botocore",
                 "click", "rich", "uvicorn", "starlette", "rpds", "hypothesis"}}
print(",".join(sorted(bad)))
"""


_SUPERVISOR = """
import gateway.supervisor.supervisor
from gateway.supervisor import preload
preload.standard_library()
"""


@pytest.mark.parametrize("imports", ["import fastpath.worker.process", _SUPERVISOR])
def test_what_is_loaded_before_a_fork_holds_no_control_plane_library(imports: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", _RUST_FREE.format(imports=imports)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == ""


def test_a_worker_starts_without_the_library_of_checksums() -> None:
    """Its import is a quarter of all that a worker imports."""
    told = "import sys, fastpath.worker.process; print([n for n in sys.modules if 'awscrt' in n])"
    loaded = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


def test_the_interpreter_that_gives_its_variables_away_loads_little() -> None:
    """D11: the supervisor's first one, which every start pays for."""
    said = "import sys; import gateway.supervisor.__main__"
    shown = "print(sorted(name for name in sys.modules if name.startswith('gateway.supervisor.')))"
    loaded = subprocess.run(
        [sys.executable, "-c", f"{said}; {shown}"], capture_output=True, text=True, check=True
    )
    names = ("__main__", "descriptors", "environment")
    assert loaded.stdout.strip() == str([f"gateway.supervisor.{name}" for name in names])
