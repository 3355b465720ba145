"""Serves lists of objects that nobody stores: each page is made when it is asked for.

    python -m tests.doubles.generated_lists COUNT SHARE     prints its port, serves until killed

A list has the numbers below COUNT that belong to the share: `all`, or by a fixed shuffle `first` or
`second`, so that both have half of them, neither in blocks nor in turns.

Rules: a key says its number, and a page begins where its number says, so that memory and time of
one are the same everywhere in the list; it lists as AWS does, for any prefix, without a delimiter.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs

COUNT = 1_000_000
_ROOT = Path(__file__).parents[2]
_ROW = (
    "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
    "<ETag>&quot;{number:032x}&quot;</ETag><Size>{number}</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)
_HEAD = re.compile(rb"GET /[^?]*\?([^ ]*) ")


def key_of(number: int) -> str:
    """The key of a number; keys are in the order of numbers."""
    return f"data/2026/part-{number:09}.parquet"


def _is_first(number: int) -> bool:
    return number * 2654435761 >> 7 & 1 == 0


SHARES: dict[str, Callable[[int], bool]] = {
    "all": lambda _: True,
    "first": _is_first,
    "second": lambda number: not _is_first(number),
}


def page(share: str, query: str, count: int = COUNT) -> bytes:
    """The document of one page."""
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    size = min(int(asked.get("max-keys", "1000")), 1000)
    after, token = asked.get("start-after", ""), asked.get("continuation-token", "")
    begin = int(token) if token else bisect_right(range(count), after, key=key_of)
    numbers = list(islice(_owned(share, begin, count), size + 1))
    shown = numbers[:size]
    encoded = asked.get("encoding-type") == "url"
    rows = []
    for number in shown:
        key = key_of(number)
        rows.append(_ROW.format(key=key, number=number))
    more = len(numbers) > size
    following = f"<NextContinuationToken>{shown[-1] + 1}</NextContinuationToken>" if more else ""
    encoding = "<EncodingType>url</EncodingType>" if encoded else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>bucket</Name><Prefix></Prefix>{following}<KeyCount>{len(shown)}</KeyCount>"
        f"<MaxKeys>{size}</MaxKeys>{encoding}<IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{''.join(rows)}</ListBucketResult>"
    ).encode()


def _owned(share: str, begin: int, count: int) -> Iterator[int]:
    owns = SHARES[share]
    return (number for number in range(begin, count) if owns(number))


@contextmanager
def generated(share: str, count: int = COUNT) -> Iterator[str]:
    """The address of one that serves a share, in a process of its own."""
    command = [sys.executable, "-m", __name__, str(count), share]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as double:
        assert double.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(double.stdout.readline())}"
        finally:
            double.kill()


async def serve(count: int, share: str, started: Callable[[int], None]) -> None:
    """Serve until it is cancelled; `started` gets the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                found = _HEAD.match(await reader.readuntil(b"\r\n\r\n"))
                if found is None:  # a check of its health
                    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    continue
                document = page(share, found[1].decode(), count)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(document)}\r\n"
                writer.write(f"{head}Content-Type: application/xml\r\n\r\n".encode() + document)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    started(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


def _print(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], _print))
