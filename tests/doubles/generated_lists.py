"""Serves lists of objects that nobody stores: each page is made when it is asked for.

    python -m tests.doubles.generated_lists [COUNT]     prints its port, serves until it is killed

A path /BUCKET/ lists the numbers that belong to the bucket: `all`, or by a fixed shuffle `first`
and `second`, so that both have half of them, neither in blocks nor in turns.

Rules: a key says its number, and a page begins where its number says, so that memory and time of
one are the same everywhere in the list; it lists as AWS does, for any prefix, without a delimiter.
"""

from __future__ import annotations

import asyncio
import re
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import islice
from urllib.parse import parse_qs

COUNT = 1_000_000
_ROW = (
    "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
    "<ETag>&quot;{number:032x}&quot;</ETag><Size>{number}</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)
_HEAD = re.compile(rb"GET /([a-z]+)/?\?([^ ]*) ")


def key_of(number: int) -> str:
    """The key of a number; keys are in the order of numbers."""
    return f"data/2026/part-{number:09}.parquet"


def _is_first(number: int) -> bool:
    return number * 2654435761 >> 7 & 1 == 0


OWNERS: dict[str, Callable[[int], bool]] = {
    "all": lambda _: True,
    "first": _is_first,
    "second": lambda number: not _is_first(number),
}


def page(bucket: str, query: str, count: int = COUNT) -> bytes:
    """The document of one page."""
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    size = min(int(asked.get("max-keys", "1000")), 1000)
    after, token = asked.get("start-after", ""), asked.get("continuation-token", "")
    begin = int(token) if token else bisect_right(range(count), after, key=key_of)
    numbers = list(islice(_owned(bucket, begin, count), size + 1))
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
        f"<Name>{bucket}</Name><Prefix></Prefix>{following}<KeyCount>{len(shown)}</KeyCount>"
        f"<MaxKeys>{size}</MaxKeys>{encoding}<IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{''.join(rows)}</ListBucketResult>"
    ).encode()


def _owned(bucket: str, begin: int, count: int) -> Iterator[int]:
    owns = OWNERS[bucket]
    return (number for number in range(begin, count) if owns(number))


async def serve(count: int, started: Callable[[int], None]) -> None:
    """Serve until it is cancelled; `started` gets the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                found = _HEAD.match(await reader.readuntil(b"\r\n\r\n"))
                assert found is not None
                document = page(found[1].decode(), found[2].decode(), count)
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
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT, _print))
