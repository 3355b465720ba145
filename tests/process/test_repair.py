"""`s3gateway repair`: an operator has the gateway's log, and wants its targets clean.

Every store is a listener on loopback that says one thing; a real one is in tests/compat.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fastpath.composed.operation import DEADLINE_SECONDS
from fastpath.ipc.process_identity import ProcessIdentity, this_process
from fastpath.ipc.repair_lines import BEGUN, DONE, LEFT, LeftUpload, RepairLine, written
from gateway.cli.main import main
from tests.process.test_check_connect import SECRET, hanging, listener, target

UPLOAD = LeftUpload("store", b"bucket", b"a b/\xff", b"id+/=", "4730A96E00000001")
ENDED = this_process()._replace(started=1)
ELSEWHERE = ProcessIdentity("gateway-0", 17, 4026531836, 8112)


def line(
    upload: LeftUpload = UPLOAD,
    process: ProcessIdentity = ENDED,
    *,
    age: float = 0.0,
    state: str = BEGUN,
) -> str:
    return written(RepairLine(upload, state, time.time() - age, 0, process)).decode()


def repair(directory: Path, lines: list[str], targets: dict[str, Any], *words: str) -> Result:
    """The command over a log with these lines."""
    log, file = directory / "gateway.log", directory / "gateway.yaml"
    log.write_text("".join(f"{one}\n" for one in lines))
    config = {
        "auth": {"mode": "open"},
        "targets": targets,
        "routing": {"default_target": next(iter(targets), "none")},
    }
    file.write_text(json.dumps(config))
    done = CliRunner().invoke(main, ["repair", str(log), "-c", str(file), *words])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert SECRET not in done.output
    return done


class Recorder:
    """A store that answers one request after the other, and keeps their heads."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.heads: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(65536)
        self.heads.append(asked)
        connection.sendall(self.answers.pop(0))


def error(status: str, code: str, *more: str) -> bytes:
    body = f"<Error><Code>{code}</Code></Error>"
    lines = [f"HTTP/1.1 {status}", *more, f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


ABORTED = b"HTTP/1.1 204 No Content\r\n\r\n"


def test_an_upload_is_aborted_with_its_own_names(tmp_path: Path) -> None:
    store = Recorder(ABORTED)
    with listener(store) as port:
        done = repair(tmp_path, [line()], {"store": target(f"http://127.0.0.1:{port}")})
    assert done.exit_code == 0, done.output
    (head,) = store.heads
    assert head.startswith(b"DELETE /bucket/a%20b/%FF?uploadId=id%2B%2F%3D HTTP/1.1\r\n")
    assert b"Credential=AKIDTARGET/" in head
    (said,) = done.stdout.splitlines()
    begins, _, ends = said.partition(", begun ")
    assert begins == f"{tmp_path}/gateway.log:1: target store: bucket/a%20b/%FF upload id+/="
    assert ends.endswith("Z for request 4730A96E00000001: aborted")
    assert done.stderr.endswith("gateway.log: uploads: 1 left (1 aborted), 0 done\n")


ANSWERS = {
    "it is gone": ("404 Not Found", "NoSuchUpload", 0, "gone already (NoSuchUpload)"),
    "it is gone on lakeFS": ("404 Not Found", "NoSuchKey", 0, "gone already (NoSuchKey)"),
    "no store at all": ("404 Not Found", "Nonsense", 1, "answers 404, and not as S3 does"),
    "not allowed": ("403 Forbidden", "AccessDenied", 1, "refuses it: 403 AccessDenied (look at"),
    "wrong key": (
        "403 Forbidden",
        "SignatureDoesNotMatch",
        1,
        "refuses it: 403 SignatureDoesNotMatch (the target refuses the signature",
    ),
    "session over": ("400 Bad Request", "ExpiredToken", 1, "the session has expired"),
    "trouble": ("500 Oh", "InternalError", 1, "answers 500 InternalError (try it again"),
    "no code of S3's": ("503 Oh", "\x1b[2J", 1, "answers 503 (try it again"),
}


@pytest.mark.parametrize(("status", "code", "exit_code", "told"), ANSWERS.values(), ids=ANSWERS)
def test_what_the_target_says_is_told(
    status: str, code: str, exit_code: int, told: str, tmp_path: Path
) -> None:
    with listener(Recorder(error(status, code))) as port:
        done = repair(tmp_path, [line()], {"store": target(f"http://127.0.0.1:{port}")})
    assert told in done.stdout
    assert done.exit_code == exit_code


def test_a_target_that_is_away_is_asked_once_and_others_go_on(tmp_path: Path) -> None:
    asked = threading.Semaphore(0)

    def silent(connection: socket.socket) -> None:
        asked.release()
        hanging(connection)

    store = Recorder(ABORTED)
    with listener(store) as port, listener(silent) as hung:
        targets = {
            "store": target(f"http://127.0.0.1:{port}"),
            "hung": target(f"http://127.0.0.1:{hung}"),
            "half": {"region": "us-east-1"},
        }
        names = ("hung", "hung", "unheard-of", "half", "store")
        uploads = [
            UPLOAD._replace(target=name, upload_id=b"%d" % n) for n, name in enumerate(names)
        ]
        done = repair(tmp_path, [line(one) for one in uploads], targets, "--timeout", "0.5")
    first, second, third, half, last = done.stdout.splitlines()
    assert "not aborted: the target cannot be reached: takes connections, but does not" in first
    assert second.endswith(first.rpartition("not aborted")[2])
    assert third.endswith(": not aborted: the target is not in the configuration")
    assert half.endswith(": not aborted: the target is incomplete in the configuration")
    assert last.endswith(": aborted")
    assert asked.acquire(blocking=False)
    assert not asked.acquire(blocking=False)
    assert "5 left (4 not aborted, 1 aborted)" in done.stderr
    assert done.exit_code == 1


def test_credentials_of_identities_are_tried_if_the_targets_own_are_refused(
    tmp_path: Path,
) -> None:
    """A request goes up with those that its identity has at the target: so did the upload."""
    store = Recorder(error("403 Forbidden", "AccessDenied"), ABORTED)
    with listener(store) as port:
        log, file = tmp_path / "gateway.log", tmp_path / "gateway.yaml"
        log.write_text(line() + "\n")
        own = {"store": {"access_key_id": "AKIDTHEIRS", "secret_access_key": SECRET}}
        me = {"name": "me", "access_key_id": "AKIDME", "secret_access_key": SECRET}
        config = {
            "auth": {"identities": [{**me, "credentials": own}]},
            "targets": {"store": target(f"http://127.0.0.1:{port}")},
            "routing": {"default_target": "store"},
        }
        file.write_text(json.dumps(config))
        done = CliRunner().invoke(main, ["repair", str(log), "-c", str(file)])
    assert done.exit_code == 0, done.output
    assert [b"Credential=AKIDTHEIRS/" in head for head in store.heads] == [False, True]


def test_a_bucket_in_another_region_is_asked_for_there(tmp_path: Path) -> None:
    wrong = error("301 Moved", "PermanentRedirect", "x-amz-bucket-region: eu-west-1")
    store = Recorder(wrong, ABORTED)
    with listener(store) as port:
        found = target(f"http://127.0.0.1:{port}", profile="s3", region="us-east-1")
        done = repair(tmp_path, [line()], {"store": found})
    assert done.exit_code == 0, done.output
    scopes = [b"/us-east-1/s3/" in head for head in store.heads]
    assert scopes == [True, False]
    assert b"/eu-west-1/s3/" in store.heads[1]


@pytest.mark.parametrize(
    ("process", "told"),
    [(this_process(), "is running"), (ELSEWHERE, "on gateway-0 cannot be seen from here")],
    ids=["runs", "elsewhere"],
)
def test_a_copy_that_may_run_keeps_its_upload(
    process: ProcessIdentity, told: str, tmp_path: Path
) -> None:
    store = Recorder(ABORTED, ABORTED, ABORTED)
    with listener(store) as port:
        targets = {"store": target(f"http://127.0.0.1:{port}")}
        young = [line(process=process, age=DEADLINE_SECONDS - 60)]
        done = repair(tmp_path, young, targets)
        assert (done.exit_code, store.heads) == (1, [])
        assert told in done.stdout
        assert "(1 may still be in use)" in done.stderr
        assert repair(tmp_path, young, targets, "--now").exit_code == 0
        old = [line(process=process, age=DEADLINE_SECONDS + 60)]
        assert repair(tmp_path, old, targets).exit_code == 0
        failed = [*young, line(process=process, state=LEFT)]
        assert repair(tmp_path, failed, targets).exit_code == 0
    assert len(store.heads) == 3


def test_show_asks_nobody_and_reads_no_configuration(tmp_path: Path) -> None:
    over = UPLOAD._replace(upload_id=b"over")
    log = tmp_path / "gateway.log"
    log.write_text("\n".join([line(), line(over), line(over, state=DONE), ""]))
    words = ["repair", "--show", str(log), "-c", str(tmp_path / "none.yaml")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    (said,) = done.stdout.splitlines()
    assert said.endswith("Z for request 4730A96E00000001")
    assert done.stderr == f"{log}: uploads: 1 left, 1 done\n"


def test_a_time_is_told_with_what_happened_then(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    for state in (BEGUN, LEFT):
        log.write_text(line(state=state))
        done = CliRunner().invoke(main, ["repair", "--show", str(log)])
        assert f", {state} 20" in done.stdout


def test_a_log_without_repair_lines_is_fine_without_a_configuration() -> None:
    done = CliRunner().invoke(main, ["repair", "-", "-c", "none.yaml"], input="nothing\n")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "<stdin>: uploads: 0 left, 0 done\n"


def test_a_line_that_cannot_be_used_does_not_stop_the_rest(tmp_path: Path) -> None:
    with listener(Recorder(ABORTED)) as port:
        targets = {"store": target(f"http://127.0.0.1:{port}")}
        done = repair(tmp_path, ["", line()[:50], line()], targets)
    bad, good = done.stdout.splitlines()
    assert bad.startswith(f"{tmp_path}/gateway.log:2: unusable repair line: ")
    assert good.endswith(": aborted")
    assert done.stderr.endswith("uploads: 1 left (1 aborted), 0 done, 1 unusable line\n")
    assert done.exit_code == 1


@pytest.mark.parametrize("words", [[], ["nowhere.log"], ["--timeout", "0", "-"]])
def test_wrong_usage(words: list[str]) -> None:
    assert CliRunner().invoke(main, ["repair", *words]).exit_code == 2


def test_a_configuration_with_errors_is_told(tmp_path: Path) -> None:
    done = repair(tmp_path, [line()], {"store": {"endpoint": "nonsense"}})
    assert done.exit_code == 1
    assert "gateway.yaml:1:" in done.stderr
