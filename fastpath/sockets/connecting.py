"""Opens connections to a host by all of its addresses, staggered (RFC 8305, "happy eyeballs").

Rules: a name is resolved for each connect, but once at a time, so that a DNS that does not answer
holds one thread of the loop; an address literal is not resolved. Families take turns, and the next
address is tried when the one before has failed, or after STAGGER_SECONDS without an answer; the
first that connects is used. A failure names every address that was tried. Resolving, connecting and
the TLS handshake have one deadline together.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any, NamedTuple, TypeVar

P = TypeVar("P", bound=asyncio.BaseProtocol)

# RFC 8305 section 5 recommends 250 ms: most targets have answered by then.
STAGGER_SECONDS = 0.25


class Address(NamedTuple):
    """One address of a host. `text` has its scope, if it is one of a link: fe80::1%2."""

    family: int
    text: str


class ConnectFailed(OSError):
    """No address took a connection; `by_address`: what each of those that were tried has said."""

    def __init__(self, by_address: Sequence[tuple[str, Exception]]) -> None:
        super().__init__("; ".join(f"{address}: {fault}" for address, fault in by_address))
        self.by_address = by_address


class ConnectTimedOut(ConnectFailed, TimeoutError):
    """The same, because time was up."""


class Endpoint:
    """A host and its port."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> None:
        self._loop = loop
        self._host = host
        self._port = port
        self._resolving: asyncio.Task[list[Address]] | None = None

    async def connect(
        self,
        factory: Callable[[], P],
        seconds: float,
        *,
        context: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> tuple[asyncio.BaseTransport, P]:
        """Open a connection. Raises OSError, and ValueError: `server_name` is none."""
        attempt = _Attempt(self._loop, self._host, self._port)
        try:
            async with asyncio.timeout(seconds) as limit:
                addresses = await self._addresses()
                return await attempt.run(addresses, factory, context, server_name)
        except (OSError, ValueError) as fault:
            raise attempt.fault(fault, is_late=limit.expired()) from None

    def close(self) -> None:
        """Stop resolving."""
        if self._resolving is not None:
            self._resolving.cancel()

    async def _addresses(self) -> list[Address]:
        """The addresses of the host. Raises OSError."""
        if _is_literal(self._host):
            return [Address(socket.AF_UNSPEC, self._host)]
        task = self._resolving
        if task is None:
            task = self._resolving = self._loop.create_task(self._resolve())
            task.add_done_callback(self._end_resolving)
        return await asyncio.shield(task)

    async def _resolve(self) -> list[Address]:
        found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        return list(in_turns(_address(family, place) for family, _, _, _, place in found))

    def _end_resolving(self, task: asyncio.Task[list[Address]]) -> None:
        self._resolving = None
        if not task.cancelled():
            task.exception()  # whoever waited for it has it; perhaps nobody does any more


class _Attempt:
    """One connect: which addresses it has tried."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> None:
        self._loop = loop
        self._host = host
        self._port = port
        self._tried: dict[Address, Exception | None] = {}  # None: it has not answered

    async def run(
        self,
        addresses: Sequence[Address],
        factory: Callable[[], P],
        context: ssl.SSLContext | None,
        server_name: str | None,
    ) -> tuple[asyncio.BaseTransport, P]:
        if len(addresses) == 1:
            self._tried[addresses[0]] = None
            return await self._loop.create_connection(
                factory, addresses[0].text, self._port, ssl=context, server_hostname=server_name
            )
        connected = await self._race(addresses)
        try:
            return await self._loop.create_connection(
                factory, sock=connected, ssl=context, server_hostname=server_name
            )
        except BaseException:
            connected.close()
            raise

    async def _race(self, addresses: Sequence[Address]) -> socket.socket:
        """Return a socket that is connected to the first address that takes it."""
        waiting = deque(addresses)
        running: dict[asyncio.Task[socket.socket], Address] = {}
        fault: Exception = OSError("the host has no address")
        try:
            while waiting or running:
                if waiting:
                    address = waiting.popleft()
                    self._tried[address] = None
                    running[self._loop.create_task(self._connected(address))] = address
                seconds = STAGGER_SECONDS if waiting else None
                done, _ = await asyncio.wait(
                    running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    if (failed := task.exception()) is None:
                        return self._winner(task, running)
                    assert isinstance(failed, Exception)
                    self._tried[running.pop(task)] = fault = failed
        finally:
            for task in running:
                task.cancel()
                task.add_done_callback(_close_unused)
        raise fault

    def _winner(
        self, task: asyncio.Task[socket.socket], running: dict[asyncio.Task[socket.socket], Address]
    ) -> socket.socket:
        """Take the socket; what comes after it is said of its address alone."""
        self._tried = {running.pop(task): None}
        return task.result()

    async def _connected(self, address: Address) -> socket.socket:
        one = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            one.setblocking(False)
            await self._loop.sock_connect(one, (address.text, self._port))
        except BaseException:
            one.close()
            raise
        return one

    def fault(self, last: Exception, *, is_late: bool) -> Exception:
        """What to raise for the failure: it names the addresses that were tried."""
        tried = [(address.text, fault or last) for address, fault in self._tried.items()]
        if not tried:
            return socket.gaierror(socket.EAI_AGAIN, "no answer in time") if is_late else last
        if [address for address, _ in tried] == [self._host] or not isinstance(last, OSError):
            return last
        return (ConnectTimedOut if is_late else ConnectFailed)(tried)


def in_turns(addresses: Iterable[Address]) -> Iterator[Address]:
    """The addresses, each once, so that families take turns (RFC 8305 section 4)."""
    families: dict[int, list[Address]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(address.family, []).append(address)
    turns = zip_longest(*families.values())
    return (address for address in chain.from_iterable(turns) if address is not None)


def _address(family: int, place: tuple[Any, ...]) -> Address:
    """The address of a place of `getaddrinfo`, of which uvloop would drop the scope."""
    host, scope = str(place[0]), place[3] if len(place) > 3 else 0
    return Address(int(family), f"{host}%{scope}" if scope and "%" not in host else host)


def _is_literal(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


def _close_unused(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
