"""Finds the gateways that run here, and asks the control process of one.

Rules: an answer counts only if the process at the other end belongs to this user, or this user is
root; whoever is not found, or does not answer, is an error that says what to do.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from fastpath.sockets.peer_user import peer_user
from gateway.status.address import ANSWER_BYTES, ANSWER_SECONDS, PREFIX, address

UNIX_SOCKETS: Final = Path("/proc/net/unix")

_LISTENS: Final = 0x10000  # of the flags there: __SO_ACCEPTCON
_READ_BYTES: Final = 65536


class Unanswered(Exception):
    """There is no answer; the text is for the operator."""


class NotRunning(Unanswered):
    """No gateway runs here."""


class Refused(Exception):
    """Control refuses the request; the text, for the operator, is control's."""


def ask(
    request: Mapping[str, object], pid: int | None, seconds: float = ANSWER_SECONDS
) -> dict[str, Any]:
    """Asks the gateway with this supervisor, or the only one. Raises Unanswered and Refused."""
    answer = answered(request, pid, seconds)
    if not answer.get("ok"):
        remedy = answer.get("remedy")
        raise Refused(f"{answer.get('error')}" + (f" ({remedy})" if remedy else ""))
    return answer


def answered(request: Mapping[str, object], pid: int | None, seconds: float) -> dict[str, Any]:
    """Returns the answer of control, a refusal too. Raises Unanswered."""
    return _asked(supervisor(pid), request, seconds)


def supervisor(pid: int | None) -> int:
    """Returns the supervisor of this gateway, or of the only one. Raises Unanswered."""
    return _chosen(_listening(UNIX_SOCKETS.read_text().splitlines()), pid)


def _listening(lines: Iterable[str]) -> list[int]:
    """Returns the supervisors whose control listens, as the lines of the kernel's table say."""
    found: set[int] = set()
    for line in lines:
        fields = line.split(maxsplit=7)
        if len(fields) < 8 or not fields[7].startswith(f"@{PREFIX}"):
            continue
        number = fields[7].removeprefix(f"@{PREFIX}")
        if number.isascii() and number.isdigit() and int(fields[3], 16) & _LISTENS:
            found.add(int(number))
    return sorted(found)


def _chosen(found: list[int], pid: int | None) -> int:
    if pid is not None:
        if pid not in found:
            others = f"those that run: {_named(found)}" if found else "none runs here"
            raise Unanswered(f"no gateway with the supervisor {pid} answers ({others})")
        return pid
    mine = [number for number in found if _is_mine(number)]
    if not mine:
        if found:
            raise Unanswered(
                f"the gateways that run here belong to other users: {_named(found)} (run this as "
                "that user, or as root)"
            )
        raise NotRunning(
            "no gateway runs here (one in a container is asked in the container: docker exec, "
            "kubectl exec)"
        )
    if len(mine) > 1:
        raise Unanswered(f"several gateways run here: {_named(mine)} (choose one with --pid)")
    return mine[0]


def _named(pids: Iterable[int]) -> str:
    return ", ".join(f"pid {pid}" for pid in pids)


def _is_mine(supervisor: int) -> bool:
    if os.geteuid() == 0:
        return True
    try:
        with _connected(supervisor):
            return True
    except OSError:
        return False


def _connected(supervisor: int) -> socket.socket:
    """Returns a connection to a process of this user. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(address(supervisor))
        if os.geteuid() not in (0, peer_user(connection)):
            raise PermissionError(0, "it belongs to another user")
    except OSError:
        connection.close()
        raise
    return connection


def _asked(supervisor: int, request: Mapping[str, object], seconds: float) -> dict[str, Any]:
    name = f"the gateway with the supervisor {supervisor}"
    try:
        with _connected(supervisor) as connection:
            connection.settimeout(seconds)
            connection.sendall(json.dumps(request).encode() + b"\n")
            text = b"".join(_pieces(connection))
    except TimeoutError:
        raise Unanswered(
            f"{name} does not answer within {seconds:g} seconds (its control process may be "
            "reading a configuration, or hang: see its log)"
        ) from None
    except OSError as error:
        raise Unanswered(f"{name} cannot be asked: {error.strerror or error}") from None
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unanswered(
            f"{name} gave no answer (it answers root and its own user; its control process may "
            "have ended: see its log)"
        )
    return answer


def _pieces(connection: socket.socket) -> Iterator[bytes]:
    left = ANSWER_BYTES
    while left > 0 and (piece := connection.recv(min(_READ_BYTES, left))):
        left -= len(piece)
        yield piece
