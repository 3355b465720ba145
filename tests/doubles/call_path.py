"""Lists the functions of `fastpath` that a request runs through.

    python -m tests.doubles.call_path

Rules: counted is the third request of a kept connection, when every cache has what it keeps; the
client has the headers of an SDK; client and target are of the rig, so that no socket, and nothing
of the loop, is in it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import fastpath
from tests.doubles.aws_chunked import SIGNED, upload
from tests.doubles.http1 import ok
from tests.doubles.signing import RawClient
from tests.doubles.wire import KEY, Rig

ROOT = str(Path(fastpath.__file__).parent) + "/"
SDK = b"user-agent: an-sdk\r\namz-sdk-request: attempt=1\r\naccept-encoding: identity"
CLIENT = RawClient("s3.test", 9000, *KEY)


def _get() -> list[bytes]:
    return [CLIENT.head("GET", b"/b-b/key", 0, {})]


def _put() -> list[bytes]:
    return [*upload(CLIENT, b"/b-b/key", SIGNED, [b"x" * 65536, b"y" * 1000]).wire()]


# A request, and the target's answer to it.
REQUESTS: dict[str, tuple[Callable[[], list[bytes]], bytes]] = {
    "GET, signed": (_get, ok(b"0123456789")),
    "PUT of two signed chunks": (_put, ok(b"")),
}


def path(name: str) -> list[tuple[str, str]]:
    """The calls of this request: file and function, in order.

    The shortest of three paths: in another second, dates are written anew.
    """
    return min((_path(name) for _ in range(3)), key=len)


def _path(name: str) -> list[tuple[str, str]]:
    make, answer = REQUESTS[name]
    rig = Rig(mode="sigv4")
    client = rig.connect()
    calls: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(ROOT):
            calls.append((code.co_filename.removeprefix(ROOT), code.co_qualname))

    for _ in range(3):
        pieces = [piece.replace(b"connection: close", SDK) for piece in make()]
        calls.clear()
        sys.setprofile(note)
        try:
            client.says(*pieces)
            rig.target.says(answer)
        finally:
            sys.setprofile(None)
        assert client.take().startswith(b"HTTP/1.1 200 ")
    return calls


def main() -> None:
    """Print the path of each request."""
    for name in REQUESTS:
        calls = path(name)
        sys.stdout.write(
            f"{name}: {len(calls)} calls in {len({file for file, _ in calls})} files\n"
        )
        for file, function in calls:
            sys.stdout.write(f"  {file:32} {function}\n")


if __name__ == "__main__":
    main()
