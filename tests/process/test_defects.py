"""A defect ends the process it is in, with a line and exit status 70, never in silence."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.doubles.target import Target
from tests.process.harness import Gateway, wait_until

# Runs in the supervisor before anything else, and breaks it, or what it is going to fork.
_START = """
import sys
from gateway.supervisor import __main__, control_process, crash, workers, supervisor

def in_child(module, change):
    fork = module.fork
    def forking(title, keep, run, **more):
        def changed():
            change()
            run()
        return fork(title, keep, changed, **more)
    module.fork = forking

def ends_later(owner, name, how):
    import asyncio
    core, kept = getattr(owner, name), []
    async def broken(self, *rest):
        kept.append(asyncio.ensure_future(core(self, *rest)))
        await asyncio.sleep(0.5)
        if how == "raises":
            raise ValueError("a defect")
    setattr(owner, name, broken)
"""
_END = "\nsys.exit(__main__.main(sys.argv[1:]))\n"


class Broken(Gateway):
    """A gateway with a defect."""

    def __init__(self, config: dict[str, object], code: str, **flags: object) -> None:
        self._code = code
        super().__init__(config, **flags)  # type: ignore[arg-type]  # flags are checked there

    def command(self, launch: Mapping[str, object]) -> list[str]:
        return [sys.executable, "-c", _START + self._code + _END, json.dumps(launch)]


def _told(how: str) -> str:
    return "ValueError: a defect" if how == "raises" else "RuntimeError: .*broken ended"


@pytest.mark.parametrize("how", ["raises", "returns"])
@pytest.mark.parametrize("core", ["_beat", "_sweep", "_obey"])
def test_a_core_task_of_a_worker_ends_it(config: dict[str, object], core: str, how: str) -> None:
    code = f"""
def change():
    from fastpath.worker.process import Worker
    ends_later(Worker, {core!r}, {how!r})
in_child(workers, change)
"""
    with Broken(config, code, workers=1) as gateway:
        gateway.wait_for_log(f"error: worker 0: internal error: {_told(how)}", 20)
        gateway.wait_for_log(r"worker 0 \(pid \d+\) exited with status 70")
        gateway.stop(signal.SIGQUIT)
        assert not gateway.log_contains("Traceback")


@pytest.mark.parametrize("how", ["raises", "returns"])
@pytest.mark.parametrize("core", ["_work", "_listen"])
def test_a_core_task_of_control_ends_it(config: dict[str, object], core: str, how: str) -> None:
    code = f"""
def change():
    from gateway.control.control import Control
    ends_later(Control, {core!r}, {how!r})
in_child(control_process, change)
"""
    with Broken(config, code, workers=1) as gateway:
        gateway.wait_for_log(f"error: s3gw control crashed: {_told(how)}", 20)
        gateway.wait_for_log(r"control \(pid \d+\) exited with status 70")
        gateway.stop(signal.SIGQUIT)
        assert not gateway.log_contains("Traceback")


@pytest.mark.parametrize(("name", "owner"), [("logs", "LogReader"), ("access log", "AccessLog")])
def test_a_core_thread_of_control_ends_it(config: dict[str, object], name: str, owner: str) -> None:
    code = f"""
def change():
    from gateway.control.access_log_writer import AccessLog
    from gateway.control.log_reader import LogReader
    {owner}._run = lambda self: None
in_child(control_process, change)
"""
    with Broken(config, code, workers=1, access_log="-") as gateway:
        gateway.wait_for_log(f"control: thread {name} ended: RuntimeError: it returned", 20)
        gateway.wait_for_log(r"control \(pid \d+\) exited with status 70")
        gateway.stop(signal.SIGQUIT)


_IN_THE_LOOP = """
turn = supervisor.Supervisor._turn
obey = supervisor.Supervisor._handle_signal
broken = []
def obey_or_break(self, number):
    if number == 10:
        broken.append(number)
    obey(self, number)
def turn_or_fail(self):
    if broken:
        raise {fault}
    turn(self)
supervisor.Supervisor._turn, supervisor.Supervisor._handle_signal = turn_or_fail, obey_or_break
supervisor.FAULTY_SECONDS = 1.0
crash.CONTROL_EXIT_SECONDS = 60.0
"""


@pytest.mark.parametrize(
    ("fault", "told"),
    [("ValueError('a defect')", "ValueError: a defect"), ("SystemExit(0)", "SystemExit: 0")],
)
def test_a_supervisor_that_cannot_go_on_ends_with_all_its_children(
    config: dict[str, object], target: Target, fault: str, told: str
) -> None:
    code = _IN_THE_LOOP.format(fault=fault)
    with Broken(config, code, access_log="-", pidfile="gateway.pid") as gateway:
        gateway.wait_until_ready()
        with target.holding():
            connection = gateway.connect()
            connection.request("GET", "/bucket/key")
            target.wait_for_held(1)
            gateway.signal(signal.SIGUSR1)
            assert gateway.wait(20) == 70
            connection.close()
        gateway.wait_for_log(rf"error: supervisor crashed: {told} \(\S+:\d+ < ")
        assert not gateway.log_contains("Traceback")
        # The request that was cut has its line: workers and control ended after one another.
        gateway.stdout.wait_for("GET bucket/key", 1)
        wait_until(lambda: not gateway.processes(), "nobody is left")


def test_a_fault_that_passes_ends_nothing(config: dict[str, object]) -> None:
    code = """
turn = supervisor.Supervisor._turn
turns = []
def turn_or_fail(self):
    turns.append(1)
    if self._phase is supervisor.Phase.SERVING and len(turns) % 3:
        raise ValueError("for a moment")
    turn(self)
supervisor.Supervisor._turn = turn_or_fail
supervisor.FAULTY_SECONDS = 1.5
supervisor.TICK_SECONDS = 0.4
"""
    with Broken(config, code) as gateway:
        gateway.wait_until_ready()
        for _ in range(3):
            mark = len(gateway.log)
            gateway.wait_for_log(r"error: supervisor: ValueError\('for a moment'\)", after=mark)
            gateway.wait_for_log(r"error: supervisor: ValueError\('for a moment'\)", after=mark + 1)
        assert gateway.request("GET", "/bucket/key").status == 200
        assert gateway.stop() == 0


def test_a_supervisor_that_cannot_be_made_says_so(config: dict[str, object]) -> None:
    code = "supervisor.SelfPipe = None"
    with Broken(config, code) as gateway:
        assert gateway.wait() == 70
        (line,) = gateway.log
        assert "error: supervisor crashed: TypeError: 'NoneType' object is not callable (" in line


def test_an_entry_that_fails_says_so() -> None:
    code = "import gateway.supervisor.__main__ as entry\n"
    code += "entry.environment.restart_without_secrets = lambda: 1 / 0\n"
    code += "import sys\nsys.exit(entry.main([]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 70
    assert "supervisor crashed: ZeroDivisionError: division by zero (" in done.stderr
    assert len(done.stderr.splitlines()) == 1
