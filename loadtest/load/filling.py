"""Puts the objects of the scenarios, signed as the load is.

Rules: a bucket that exists already is taken as it is; the first refusal ends it with its code.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from loadtest.load.aim import Place
from loadtest.load.signing import Call, Signed, sign

SECONDS = 30


class NotFilled(Exception):
    """An object could not be put; the text says what was answered."""


def send(connection: http.client.HTTPConnection, signed: Signed) -> tuple[int, bytes]:
    """Send a signed request; its status and body."""
    path = signed.url.partition("://")[2].partition("/")[2]
    connection.request(signed.call.method, f"/{path}", signed.call.body, signed.headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def connect(place: Place) -> http.client.HTTPConnection:
    """A connection to its endpoint; it is made with the first request."""
    url = urlsplit(place.endpoint)
    assert url.hostname is not None
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(url.hostname, url.port, timeout=SECONDS)


def fill(place: Place, calls: Iterable[Call], buckets: Iterable[str] = ()) -> int:
    """Make the buckets, then put all objects at that place; their number. Raises NotFilled."""
    connection = connect(place)
    count = 0
    try:
        for bucket in buckets:
            _one(connection, Call("bucket", "PUT", bucket), place, also=409)
        for call in calls:
            _one(connection, call, place)
            count += 1
    except OSError as fault:
        raise NotFilled(f"{place.endpoint}: {fault}") from fault
    finally:
        connection.close()
    return count


def _one(connection: http.client.HTTPConnection, call: Call, place: Place, also: int = 200) -> None:
    status, document = send(connection, sign(call, place))
    if status not in (200, also):
        raise NotFilled(f"PUT {place.endpoint}{call.path}: {status} {error_code(document)}")


def error_code(document: bytes) -> str:
    """The code of an S3 error, or the beginning of whatever it is."""
    text = document.decode("utf-8", "replace")
    found = re.search(r"<Code>([^<]*)</Code>", text)
    return found[1] if found else text[:100]
