"""Whether the process that wrote a line still runs: only what can be seen is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from fastpath.ipc.process_identity import is_running, this_process


def test_this_process_runs() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    assert me.started > 0
    assert is_running(me) is True


def test_another_process_that_got_its_id_is_not_it() -> None:
    me = this_process()
    assert is_running(me._replace(started=me.started - 1)) is False


def test_a_process_that_has_ended_is_not_running_reaped_or_not() -> None:
    code = "import json; from fastpath.ipc.process_identity import this_process as me"
    code += "; print(json.dumps(me()))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        host, *numbers = json.loads(child.stdout.read())
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        ended = this_process()._replace(pid=child.pid, started=numbers[2])
        assert (host, numbers[0]) == (ended.host, child.pid)
        assert is_running(ended) is False  # a zombie
    assert is_running(ended) is False


def test_what_cannot_be_seen_from_here_is_unknown() -> None:
    me = this_process()
    assert is_running(me._replace(host="another")) is None
    assert is_running(me._replace(pid_namespace=me.pid_namespace + 1)) is None
    assert is_running(me._replace(started=0)) is None
