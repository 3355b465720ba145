"""Asks the admin plane where requests would go, and compares it with where they should.

Rules: asked while the load goes on, since that is when a table is replaced under it; an answer that
does not come counts as a wrong one.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from loadtest.load.aim import PREFIX, Buckets

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Expected:
    """A request, and the target it belongs to."""

    bucket: str
    operation: str
    target: str


def expected(buckets: Buckets) -> list[Expected]:
    """Each bucket, read and written, by the rules of `servers`."""
    homes = {
        buckets.data: "s3",
        buckets.old: "s3",
        buckets.other: "lakefs",
        buckets.chain: "lakefs",
        buckets.new: "lakefs",
    }
    return [
        Expected(bucket, operation, target)
        for bucket, target in homes.items()
        for operation in ("GetObject", "PutObject")
    ]


def ask(admin: str, one: Expected) -> str | None:
    """None if the gateway decides as expected, or else what it said instead."""
    fields = {"bucket": one.bucket, "key": f"{PREFIX}any", "operation": one.operation}
    url = f"{admin}/api/decision?{urllib.parse.urlencode(fields)}"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            said = json.load(answer)
            # A read along a chain has no target before it has looked: the first place counts.
            target = said["chain"][0]["target"] if said["chain"] else said["target"]
    except (OSError, ValueError, KeyError) as fault:
        return f"{one.operation} in {one.bucket}: {fault}"
    if target == one.target:
        return None
    return f"{one.operation} in {one.bucket}: to {target} instead of {one.target}"


def applied(admin: str) -> int:
    """The generation that is served: a reload that was applied makes it one more."""
    with urllib.request.urlopen(f"{admin}/api/config", timeout=SECONDS) as answer:
        return int(json.load(answer)["generation"])
