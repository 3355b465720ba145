"""Imports point down only: gateway -> fastpath, protocols -> pure modules, never in a circle."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.repo.tree import Module, imports, modules

STDLIB = sys.stdlib_module_names

# What a worker may hold besides the standard library.
FASTPATH_MAY = {"awscrt", "fastpath", "httptools", "uvloop"}

# Pure modules: bytes in, bytes out. They know no sockets, no loop, no clock.
PURE = {
    "fastpath.accesslog",
    "fastpath.addressing",
    "fastpath.answers",
    "fastpath.authentication",
    "fastpath.causes",
    "fastpath.codings",
    "fastpath.conditions",
    "fastpath.crossing",
    "fastpath.cors",
    "fastpath.dialects.deletion",
    "fastpath.dialects.lakefs.bucket_lists",
    "fastpath.dialects.lakefs.list_answers",
    "fastpath.dialects.lakefs.list_requests",
    "fastpath.dialects.lakefs.part_answers",
    "fastpath.dialects.lakefs.part_requests",
    "fastpath.dialects.lakefs.upload_faults",
    "fastpath.errors",
    "fastpath.errorxml",
    "fastpath.forms.answer",
    "fastpath.forms.file",
    "fastpath.forms.policy",
    "fastpath.forms.put",
    "fastpath.forms.reader",
    "fastpath.forms.signature",
    "fastpath.forward",
    "fastpath.frames",
    "fastpath.framing",
    "fastpath.globs",
    "fastpath.head",
    "fastpath.hop",
    "fastpath.metadata",
    "fastpath.hosting",
    "fastpath.identities",
    "fastpath.implied",
    "fastpath.lifetime",
    "fastpath.limits",
    "fastpath.lru",
    "fastpath.operations",
    "fastpath.payload.batches",
    "fastpath.payload.choose",
    "fastpath.payload.chunks",
    "fastpath.payload.completions",
    "fastpath.payload.deletions",
    "fastpath.payload.filters",
    "fastpath.payload.framers",
    "fastpath.phases",
    "fastpath.places",
    "fastpath.posting",
    "fastpath.profiles",
    "fastpath.query",
    "fastpath.retry",
    "fastpath.routing",
    "fastpath.rulebook",
    "fastpath.s3xml",
    "fastpath.sigv2",
    "fastpath.snapshot",
    "fastpath.uploads",
    "fastpath.verdict",
}
PURE_MAY_NOT = {"asyncio", "socket", "select", "selectors", "ssl", "threading", "uvloop", "time"}

# The order of the rooms of the data plane, highest first: nothing imports what stands above it.
STOREYS = [
    ["worker"],
    ["service", "door"],
    ["downstream"],
    ["writing"],
    ["exchange"],
    ["course"],
    ["holdback", "interpreter", "renewals"],
    ["inquiry"],
    ["places"],
    ["pool"],
    ["waiting"],
    ["upstream", "journal", "reset", "unsent", "tls"],
    ["reading", "sinks", "splice"],
    ["outgoing", "turns"],
    ["posting"],
    ["reply"],
    ["forward", "uploads"],
    ["admission", "hosting"],
    ["snapshot"],
    ["identities", "implied", "routing"],
    ["rulebook"],
    ["cors", "dialects", "forms"],
    ["payload"],
    ["authentication"],
    ["sigv2"],
    ["sigv4"],
    ["metadata"],
    ["addressing", "operations", "framing", "hop", "s3xml", "verdict"],
    ["conditions", "head", "query"],
    ["answers", "client", "lessee"],
    ["lifetime"],
    [
        "accesslog",
        "causes",
        "errors",
        "codings",
        "crossing",
        "errorxml",
        "limits",
        "frames",
        "globs",
        "counters",
        "descriptors",
        "lru",
        "phases",
        "profiles",
        "retry",
        "shares",
    ],
]


def _by_name(name: str) -> Module:
    return next(module for module in modules() if module.name == name)


DATA_PLANE = [module for module in modules() if module.name.partition(".")[0] == "fastpath"]


@pytest.mark.parametrize("module", DATA_PLANE, ids=lambda module: module.name)
def test_imports_only_what_its_package_may(module: Module) -> None:
    foreign = {name.partition(".")[0] for name in imports(module)} - STDLIB - FASTPATH_MAY
    assert not foreign, f"{module.name} imports {sorted(foreign)}"


def test_only_the_worker_chooses_the_loop() -> None:
    users = {module.name for module in modules() if "uvloop" in set(imports(module))}
    assert users == {"fastpath.worker"}


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_modules_know_no_sockets_and_no_clock(name: str) -> None:
    used = {imported.partition(".")[0] for imported in imports(_by_name(name))}
    assert not used & PURE_MAY_NOT


def _storey(name: str) -> int:
    room = name.split(".")[1]
    return next(level for level, rooms in enumerate(STOREYS) if room in rooms)


def test_every_room_of_the_data_plane_has_a_storey() -> None:
    rooms = {module.name.split(".")[1] for module in DATA_PLANE if module.name.count(".")}
    assert rooms == {room for storey in STOREYS for room in storey}


@pytest.mark.parametrize(
    "module",
    [module for module in DATA_PLANE if module.name.count(".")],
    ids=lambda module: module.name,
)
def test_imports_point_down(module: Module) -> None:
    upward = [
        name
        for name in imports(module, at_run_time=True)
        if name.startswith("fastpath.") and _storey(name) < _storey(module.name)
    ]
    assert not upward, f"{module.name} imports {upward} from above"


def test_no_import_cycle() -> None:
    graph = {
        module.name: {
            name
            for name in imports(module, at_run_time=True)
            if name.partition(".")[0] in ("fastpath", "gateway")
        }
        for module in modules()
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name in done:
            return
        for imported in graph.get(name, ()):
            if imported != name:
                visit(imported, (*path, name))
        done.add(name)

    for name in graph:
        visit(name, ())
    assert done >= set(graph)


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


@pytest.mark.parametrize("imports", ["import fastpath.worker", _SUPERVISOR])
def test_what_is_loaded_before_a_fork_holds_no_control_plane_library(imports: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", _RUST_FREE.format(imports=imports)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == ""


def test_the_interpreter_that_gives_its_variables_away_loads_little() -> None:
    """D11: the supervisor's first one, which every start pays for."""
    said = "import sys; import gateway.supervisor.__main__"
    shown = "print(sorted(name for name in sys.modules if name.startswith('gateway.supervisor.')))"
    loaded = subprocess.run(
        [sys.executable, "-c", f"{said}; {shown}"], capture_output=True, text=True, check=True
    )
    names = ("__main__", "descriptors", "environment")
    assert loaded.stdout.strip() == str([f"gateway.supervisor.{name}" for name in names])
