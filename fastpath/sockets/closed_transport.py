"""What stands for the transport of a connection that is closed.

A transport under TLS and its protocol hold each other, and with them 0.6 MiB of buffers, until
Python's collector looks at old objects: seldom. Whoever lets go of the transport when the
connection is lost frees them at once.
"""

from __future__ import annotations

import asyncio
from typing import final


@final
class ClosedTransport(asyncio.Transport):
    """A transport without a socket: nothing can be read or written."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


CLOSED_TRANSPORT = ClosedTransport()
