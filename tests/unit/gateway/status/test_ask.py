"""Which gateways are found in the kernel's table of sockets, and which one is asked."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.status import ask as module
from gateway.status.ask import Unanswered

TABLE = """Num       RefCount Protocol Flags    Type St Inode Path
0000: 00000002 00000000 00010000 0001 01 20001 @s3gateway-control-41
0000: 00000003 00000000 00000000 0001 03 20002 @s3gateway-control-41
0000: 00000003 00000000 00000000 0001 03 20003 @s3gateway-control-43
0000: 00000003 00000000 00000000 0001 03 20004
0000: 00000002 00000000 00010000 0001 01 20005 @s3gateway-control-7
0000: 00000002 00000000 00010000 0001 01 20006 @s3gateway-control-7x
0000: 00000002 00000000 00010000 0001 01 20007 /run/s3gateway-control-9
""".splitlines()


def test_listening_sockets_are_found() -> None:
    assert module._listening(TABLE) == [7, 41]


@pytest.mark.parametrize(
    ("found", "mine", "pid", "message"),
    [
        ([], [], None, "no gateway runs here"),
        (
            [7, 41],
            [7, 41],
            None,
            "several gateways run here: pid 7, pid 41 (choose one with --pid)",
        ),
        ([7], [], None, "belong to other users: pid 7 (run this as that user, or as root)"),
        ([7], [7], 8, "no gateway with the supervisor 8 answers (those that run: pid 7)"),
        ([], [], 8, "no gateway with the supervisor 8 answers (none runs here)"),
    ],
)
def test_no_one_to_ask(
    found: list[int],
    mine: list[int],
    pid: int | None,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_is_mine", mine.__contains__)
    with pytest.raises(Unanswered) as raised:
        module._chosen(found, pid)
    assert message in str(raised.value)


def test_the_only_one_of_this_user_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_mine", [41].__contains__)
    assert module._chosen([7, 41], None) == 41
    assert module._chosen([7, 41], 7) == 7


def test_a_refusal_has_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    answer: dict[str, Any] = {"ok": False, "error": "no", "remedy": "try yes"}
    monkeypatch.setattr(module, "_chosen", lambda found, pid: 7)
    monkeypatch.setattr(module, "_asked", lambda supervisor, request, seconds: answer)
    with pytest.raises(module.Refused, match=r"^no \(try yes\)$"):
        module.ask({"command": "status"}, None)
