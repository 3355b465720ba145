"""`s3gateway doctor`: each thing that may be wrong between a configuration and a store, and its
remedy.

Every store is a listener on loopback that does one thing; real ones are in tests/compat.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from click.testing import CliRunner

from gateway.cli.main import main
from tests.process.test_check_connect import (
    LISTED,
    SECRET,
    Play,
    answering,
    authority,
    hanging,
    listener,
    server,
    target,
)

__all__ = ["authority"]


class Said(NamedTuple):
    """What the command found: by target, the level and the message of each step."""

    status: int
    of: dict[str, dict[str, tuple[str, str]]]
    remedies: str


def doctor(directory: Path, targets: dict[str, Any], *words: str) -> Said:
    rules = [{"pattern": f"{name}-*", "target": name} for name in targets]
    config = {
        "router": {"listen_address": "127.0.0.1:0"},
        "auth": {
            "identities": [{"name": "me", "access_key_id": "AKIDME", "secret_access_key": SECRET}]
        },
        "targets": targets,
        "routing": {"default_target": next(iter(targets)), "rules": rules},
    }
    file = directory / "gateway.yaml"
    file.write_text(json.dumps(config, indent=1))
    done = CliRunner().invoke(main, ["doctor", "-c", str(file), "--json", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert SECRET not in done.output
    assert "Traceback" not in done.output
    found = json.loads(done.stdout)
    assert found["ok"] is (done.exit_code == 0)
    of: dict[str, dict[str, tuple[str, str]]] = {}
    for one in found["findings"]:
        steps = of.setdefault(one["subject"].removeprefix("target "), {})
        steps[one["step"]] = (one["level"], one["message"])
    return Said(done.exit_code, of, "\n".join(one["remedy"] for one in found["findings"]))


def levels(said: Said, name: str) -> dict[str, str]:
    return {step: level for step, (level, _) in said.of[name].items()}


WELL = {
    "dns": "ok",
    "tcp": "ok",
    "answer": "ok",
    "clock": "ok",
    "profile": "ok",
    "credentials": "ok",
}


def test_a_store_in_order(tmp_path: Path) -> None:
    with listener(answering()) as port:
        said = doctor(tmp_path, {"store": target(f"http://127.0.0.1:{port}")})
    assert said.status == 0
    assert levels(said, "store") == WELL
    assert said.of["configuration"][""][0] == "ok"


def test_the_text_has_a_line_for_each_finding_and_one_for_its_remedy(tmp_path: Path) -> None:
    with listener(answering()) as port:
        doctor(tmp_path, {"store": target(f"http://127.0.0.1:{port}", regoin="x")})
        done = CliRunner().invoke(main, ["doctor", "-c", str(tmp_path / "gateway.yaml")])
    assert done.exit_code == 1
    (told,) = [line for line in done.stdout.splitlines() if line.startswith("error ")]
    assert re.match(
        r"error    configuration: .*gateway\.yaml:\d+:\d+: targets\.store\.regoin: ", told
    )
    assert "\n         -> " in done.stdout
    assert re.fullmatch(r"doctor: .*1 error.*\n", done.stderr)
    assert "\x1b" not in done.output


def test_each_step_that_fails_ends_the_way_and_holds_up_nobody(
    authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trusted = {"tls": {"ca_file": str(tmp_path / "ca.pem")}}
    with contextlib.ExitStack() as stack:
        good, hangs = (stack.enter_context(listener(play)) for play in (answering(), hanging))
        secure = stack.enter_context(listener(answering(), server(authority)))
        targets = {
            "good": target(f"http://127.0.0.1:{good}"),
            "hangs": target(f"http://127.0.0.1:{hangs}"),
            "secure": target(f"https://localhost:{secure}", **trusted),
            "untrusted": target(f"https://localhost:{secure}"),
            "name": target("https://name.invalid"),
            "dead": target("http://127.0.0.1:1"),
        }
        said = doctor(tmp_path, targets, "--timeout", "3")
    assert said.status == 1
    assert levels(said, "good") == WELL
    assert levels(said, "secure") == {**WELL, "tls": "ok", "certificate": "ok"}
    assert levels(said, "hangs") == {"dns": "ok", "tcp": "ok", "answer": "error"}
    assert levels(said, "untrusted") == {"dns": "ok", "tcp": "ok", "tls": "error"}
    assert levels(said, "name") == {"dns": "error"}
    assert levels(said, "dead") == {"dns": "ok", "tcp": "error"}
    assert "name the CA that signed it in tls.ca_file" in said.remedies
    assert "start the target, or correct the port of its endpoint" in said.remedies


ODD: dict[str, tuple[Play, str, tuple[str, str], str]] = {
    "a clock that is off a little": (
        answering(skew=100),
        "clock",
        ("warning", "is 100 s ahead of this machine's"),
        "NTP",
    ),
    "a clock too far off": (
        answering(skew=-2000),
        "clock",
        ("error", "the target's clock is 2000 seconds behind this machine's"),
        "NTP",
    ),
    "AWS by another profile": (
        answering(head=b"Server: AmazonS3"),
        "profile",
        ("warning", "it seems to be a store of the profile s3, not generic"),
        "set profile: s3",
    ),
    "a gateway": (
        answering(head=b"Server: s3gateway"),
        "profile",
        ("warning", "another s3gateway answers there"),
        "name the store itself",
    ),
    "a wrong secret": (
        answering("403 Forbidden", b"<Error><Code>SignatureDoesNotMatch</Code></Error>"),
        "credentials",
        (
            "error",
            "the target refuses the signature: the secret is not that of the access key id "
            "(SignatureDoesNotMatch)",
        ),
        "correct secret_access_key",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_has_a_remedy(case: str, tmp_path: Path) -> None:
    play, step, told, remedy = ODD[case]
    with listener(play) as port:
        said = doctor(tmp_path, {"store": target(f"http://127.0.0.1:{port}", profile="generic")})
    level, message = said.of["store"][step]
    assert (level, message.replace("99 s", "100 s").replace("2001", "2000")) == told
    assert remedy in said.remedies
    assert said.status == (1 if level == "error" else 0)


def test_nothing_is_written_unless_asked(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def play(connection: socket.socket) -> None:
        if head := connection.recv(65536):
            asked.append(head.split(b" ")[0])
            connection.sendall(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(LISTED))
            connection.sendall(LISTED)

    with listener(play) as port:
        doctor(tmp_path, {"store": target(f"http://127.0.0.1:{port}")})
    assert set(asked) == {b"GET"}


def test_an_object_that_cannot_be_deleted_is_named(tmp_path: Path) -> None:
    """A store that takes objects and refuses all else: the key is told, for whoever can delete."""
    refused = b"<Error><Code>AccessDenied</Code></Error>"

    def play(connection: socket.socket) -> None:
        head = connection.recv(65536)
        status, body = (b"200 X", LISTED) if head[:4] in (b"PUT ",) else (b"403 X", refused)
        if head.startswith(b"GET / "):
            status, body = b"200 X", LISTED
        connection.sendall(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(body)))
        if not head.startswith(b"HEAD"):
            connection.sendall(body)

    with listener(play) as port:
        place = ("--write", "store/bucket/some/")
        said = doctor(tmp_path, {"store": target(f"http://127.0.0.1:{port}")}, *place)
    level, message = said.of["store"]["write"]
    assert level == "error"
    assert message.startswith("could not delete some/s3gateway-probe-")
    assert "allow its credentials s3:GetObject there" in said.remedies
    assert "delete what begins with some/s3gateway-probe-" in said.remedies
    assert said.status == 1


def test_a_place_that_is_no_target_is_wrong_usage(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    routing = {"default_target": "store"}
    file.write_text(
        json.dumps({"targets": {"store": target("http://127.0.0.1:1")}, "routing": routing})
    )
    done = CliRunner().invoke(main, ["doctor", "-c", str(file), "--write", "stroe/b"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "'stroe' is no target that requests reach (did you mean store?)" in done.stderr


def test_a_configuration_with_errors_asks_nobody(tmp_path: Path) -> None:
    said = doctor(tmp_path, {"store": target("http://127.0.0.1:1", regoin="x")})
    assert said.status == 1
    assert "can be served" not in str(said.of)
    assert said.of["targets"][""][0] == "skipped"
