"""An import that works, and every way in which one does not."""

from __future__ import annotations

import contextlib
import os
import re
import select
from pathlib import Path

import pytest

from gateway.router.check import check
from gateway.router.definition import Definition

GOOD = "class Router:\n    def __init__(self, config): self.config = config\n"
GOOD += "    def route_request(self, bucket_name, operation, metadata=None): return 's3'\n"


def made(
    directory: Path, source: str | None, name: str = "Router", memory: int = 512
) -> Definition:
    if source is not None:
        (directory / "custom.py").write_text(source)
    return Definition("custom", name, (str(directory),), memory, '{"routing": {}}')


def test_one_that_imports_has_a_stamp_of_what_it_imported(tmp_path: Path) -> None:
    source = "import helper, json\n" + GOOD
    stamps = []
    for helper in ("a = 1", "a = 2", "a = 2"):
        (tmp_path / "helper.py").write_text(helper)
        found = check(made(tmp_path, source), os.environ)
        assert (found.fault, found.remedy) == ("", "")
        stamps.append(found.stamp)
    assert stamps[0] != stamps[1] == stamps[2]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["custom.py", "helper.py"]


@pytest.mark.parametrize(
    ("source", "fault", "remedy"),
    [
        (None, "ModuleNotFoundError: No module named 'custom'", r"put it into .*searched: .*DIR"),
        ("import helpe", r"ModuleNotFoundError: .*'helpe' \(DIR/custom.py:1\)", "install helpe "),
        ("class (", r"SyntaxError: .* \(DIR/custom.py:1\)", "mend the module"),
        ("\n1 / 0", r"ZeroDivisionError: division by zero \(DIR/custom.py:2\)", "mend"),
        (
            "import json\njson.loads('')",
            r"json.decoder.JSONDecodeError: .* \(DIR/custom.py:2\)",
            "mend",
        ),
        ("raise SystemExit(3)", r"SystemExit: 3 \(DIR/custom.py:1\)", "mend the module"),
        ("class Route: pass", "module custom has no class Router", "did you mean Route?"),
        ("a = 1", "module custom has no class Router", "define the class"),
        ("class Router: pass", r"TypeError: Router\(\) takes no arguments", "must not raise"),
        (
            "class Router:\n    def __init__(self, config): config['nothing']",
            r"KeyError: 'nothing' \(DIR/custom.py:2\)",
            r"Router\(config\) must not raise",
        ),
        ("Router = dict", "Router has no method route_request", "define route_request"),
        (
            GOOD.replace("operation, metadata=None", "operation"),
            "Router.route_request cannot be called with three values: too many",
            r"define route_request\(self, bucket_name, operation, metadata\)",
        ),
        (GOOD + "    cache_seconds = 'long'", "cache_seconds is 'long'", "give a number"),
        (GOOD + "    cache_seconds = -1", "cache_seconds is -1", "give a number"),
        ("raise ValueError('x' * 100000)", r"ValueError: x{200,300}\.\.\. \(DIR", "mend"),
        ("raise ValueError('a\\nb')", r"ValueError: a b|ValueError: a|b", "mend"),
        ("import os; os._exit(9)", r"its import ended the process \(status 9\)", "must return"),
        (
            "x = bytes(1 << 40)",
            "its import needs more than 512 MiB of memory",
            "raise routing.custom_mem",
        ),
        ("while True: pass", "its import did not end within 2 seconds", "do slow work later"),
    ],
)
def test_what_does_not_import_is_described_with_a_remedy(
    tmp_path: Path, source: str | None, fault: str, remedy: str
) -> None:
    found = check(made(tmp_path, source), os.environ, seconds=2)
    assert re.match(fault.replace("DIR", re.escape(str(tmp_path))), found.fault), found
    assert re.search(remedy.replace("DIR", re.escape(str(tmp_path))), found.remedy), found
    assert not found.stamp
    assert "Traceback" not in found.fault
    assert "\n" not in found.fault


def test_what_it_prints_and_starts_is_gone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = "import os, subprocess, sys\nprint('printed'); os.write(2, b'printed')\n"
    source += "started = subprocess.Popen(['sleep', '600'])\n"
    source += "open(sys.path[0] + '/pid', 'w').write(str(started.pid))\n"
    assert check(made(tmp_path, source + GOOD), os.environ).stamp
    pid = (tmp_path / "pid").read_text()
    with contextlib.suppress(ProcessLookupError):
        ends = select.poll()
        ends.register(os.pidfd_open(int(pid)), select.POLLIN)
        assert ends.poll(10_000), "what it started goes on"
    assert capfd.readouterr() == ("", "")


def test_it_gets_no_variable_that_workers_do_not_get(tmp_path: Path) -> None:
    source = "import os\nassert 'AWS_SECRET_ACCESS_KEY' not in os.environ\n"
    source += "assert os.environ['CUSTOM_ROUTER_TOKEN'] == 'known'\n" + GOOD
    environ = {**os.environ, "AWS_SECRET_ACCESS_KEY": "hidden", "CUSTOM_ROUTER_TOKEN": "known"}
    assert check(made(tmp_path, source), environ).fault == ""
