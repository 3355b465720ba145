"""Owns the list of what may differ between two plays of one script. It is all there is.

Rules: an entry names its reason. What is not here is compared byte for byte: the status, the names
of the header lines in their letter case, their values, the bodies. The order of lines with
different names means nothing (RFC 9110, 5.3); a store may echo lines of the request in any.
"""

from __future__ import annotations

import re

# Header fields that speak of one answer, or of the one connection that it came by.
OF_THIS_ANSWER = {
    "x-amz-request-id": "a fresh one per request; the client sees the gateway's",
    "x-amz-id-2": "a fresh one per request",
    "x-amzn-requestid": "a fresh one per request",
    "date": "the time of the answer",
    "last-modified": "the time of the write, which the two plays do one after the other",
    "server": "the gateway does not name the software of its targets",
    "connection": "ends at the next hop (RFC 9110, 7.6.1)",
    "keep-alive": "ends at the next hop",
    "seaweed-x-amz-noncurrent-since-ns": "the time of a write, in nanoseconds",
}

# Texts inside values and bodies.
TIMES = (
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"),
    re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"),
)
# Of an upload in parts: the gateway says where the client finds the object, a store where it does
# itself (moto: at AWS). `unit/fastpath/test_location.py` has the value.
LOCATION = re.compile(r"<Location>.*?</Location>")
REQUEST_IDS = re.compile(r"<(RequestId|RequestID|HostId)>[^<]*</\1>")


def text(value: str, names: dict[str, str]) -> str:
    """`value` with what may differ masked: times, ids, locations, this play's own names.

    `names`: text -> label.
    """
    for own, label in sorted(names.items(), key=lambda pair: -len(pair[0])):
        value = value.replace(own, label)
    for times in TIMES:
        value = times.sub("<time>", value)
    return REQUEST_IDS.sub(r"<\1/>", LOCATION.sub("<Location/>", value))


def headers(lines: list[tuple[str, str]], names: dict[str, str]) -> list[str]:
    """The header lines by name; of those in `OF_THIS_ANSWER` none."""
    kept = [(name, value) for name, value in lines if name.lower() not in OF_THIS_ANSWER]
    return sorted((f"{name}: {text(value, names)}" for name, value in kept), key=_name)


def length(lines: list[str], raw: int) -> list[str]:
    """For a body with masked texts in it, whose length may differ: its own length by that name."""
    own = f"content-length: {raw}"
    return [f"{_name(line)}: the body's" if line.lower() == own else line for line in lines]


def _name(line: str) -> str:
    return line.partition(":")[0]
