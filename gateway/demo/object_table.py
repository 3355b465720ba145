"""Reads from each server which objects it has, and prints them as a table.

Rules: every server is asked with its own key pair and at its own address, never through the
gateway; an object that is not where the rules send it is an error, not a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from gateway.demo.clients import client_of_server
from gateway.demo.seaweed import SeaweedServer

# What the seed's rules make of the seed's example.
EXPECTED = {
    ("lakefs", "lakefs-data-repo", "main/data/file.txt", b"Hello from lakeFS!"),
    ("s3", "traditional-s3-bucket", "data/file.txt", b"Hello from S3!"),
}


@dataclass(frozen=True, slots=True)
class Landed:
    """One object as a server has it."""

    target: str
    endpoint: str
    bucket: str
    key: str
    body: bytes


class WrongPlace(Exception):
    """An object is missing, or is where no rule sends it."""


def read_directly(target: str, server: SeaweedServer) -> list[Landed]:
    """Return every object of every bucket of one server."""
    client = client_of_server(server)
    found = []
    for bucket in client.list_buckets()["Buckets"]:
        name = bucket["Name"]
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for entry in page.get("Contents", []):
                body = client.get_object(Bucket=name, Key=entry["Key"])["Body"].read()
                found.append(Landed(target, server.endpoint, name, entry["Key"], body))
    return found


def check(landed: Iterable[Landed]) -> None:
    """Raise WrongPlace unless exactly the example's objects are where the rules send them."""
    seen = {(one.target, one.bucket, one.key, one.body) for one in landed}
    if seen != EXPECTED:
        raise WrongPlace(f"missing {EXPECTED - seen}, unexpected {seen - EXPECTED}")


def table(landed: Iterable[Landed]) -> Table:
    drawn = Table(title="What landed where (read directly from each server)", title_justify="left")
    for heading in ("Target", "Server", "Bucket", "Key"):
        drawn.add_column(heading, no_wrap=True)
    drawn.add_column("Bytes", justify="right")
    drawn.add_column("Content", no_wrap=True)
    for one in landed:
        content = escape(one.body.decode("utf-8", "replace"))
        drawn.add_row(one.target, one.endpoint, one.bucket, one.key, str(len(one.body)), content)
    return drawn
