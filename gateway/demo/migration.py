"""Fills a bucket on one store, moves it to the other with the seed's loop, and compares the two.

Rules: objects are put and moved through the gateway, and read for the comparison from each server
directly; the loop prints an object that it could not copy and goes on, so that only the comparison
says whether all arrived.
"""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from gateway.demo.clients import client_of_gateway, client_of_server
from gateway.demo.example import HybridDataManager
from gateway.demo.interrupts import Interrupts
from gateway.demo.processes import Stage
from gateway.demo.voice import Voice

# As in the seed's usage of its loop; S3 and lakeFS, by the rules.
OLD = "old-s3-bucket"
NEW = "lakefs-new-repo"
BRANCH = "main/"  # what the loop puts before each key; to SeaweedFS it is a part of the key
COUNT = 200
MIB = 1 << 20
# Sizes of some objects; boto3 uploads the first in two parts. The others have less than 64 KiB.
LARGE = {40: 12 * MIB, 80: 5 * MIB, 120: 3 * MIB, 160: 2 * MIB, 199: MIB}
NAMES = ("report", "a b+c & d", "100% raw", "día/日本")
TYPES = {"csv": "text/csv", "json": "application/json", "png": "image/png", "bin": "x-demo/any"}
READERS = 4
SHOWN = 5  # differences that a failure names


@dataclass(frozen=True, slots=True)
class Sample:
    """An object that the demo puts into the old bucket."""

    key: str
    body: bytes
    content_type: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a server has it."""

    size: int
    sha256: str
    content_type: str
    metadata: Mapping[str, str]


class Differs(Exception):
    """The two buckets do not hold the same objects."""


def samples() -> Iterator[Sample]:
    """Return the objects of the old bucket: none is like another, the first is empty."""
    for number in range(COUNT):
        suffix, content_type = list(TYPES.items())[number % len(TYPES)]
        name = NAMES[number // len(TYPES) % len(NAMES)]
        size = LARGE.get(number, number * 7919 % 65536)
        yield Sample(
            key=f"2026/{name} {number:03}.{suffix}",
            body=random.Random(number).randbytes(size),
            content_type=content_type,
            metadata={"number": str(number), "owner": "demo"},
        )


def migrate(stage: Stage, voice: Voice, interrupts: Interrupts) -> None:
    """Move a bucket from `s3` to `lakefs` and show it. Raises Differs."""
    client = client_of_gateway(stage)
    for bucket in (OLD, NEW):
        client.create_bucket(Bucket=bucket)
    with _progress(voice, "putting") as bar:
        _fill(client, _counter(bar, interrupts))
    voice.tell(f"put {COUNT} objects into {OLD}, which is on s3")
    voice.tell("running the migration loop: list_objects_v2, copy_object")
    with _progress(voice, "copying") as bar, voice.retelling():
        _count_copies(client, _counter(bar, interrupts))
        HybridDataManager(client).migrate_bucket_to_lakefs(OLD, NEW)
    with _progress(voice, "comparing", COUNT * 2) as bar:
        count = _counter(bar, interrupts)
        old = read_objects(stage, "s3", OLD, "", count)
        new = read_objects(stage, "lakefs", NEW, BRANCH, count)
    voice.result.print(table(stage, old, new))
    check(old, new)
    voice.tell(f"all {COUNT} objects arrived whole: bytes, type and metadata")


def _fill(client: Any, count: Callable[[], None]) -> None:
    for sample in samples():
        said = {"ContentType": sample.content_type, "Metadata": sample.metadata}
        client.upload_fileobj(io.BytesIO(sample.body), OLD, sample.key, ExtraArgs=said)
        count()


def _count_copies(client: Any, count: Callable[[], None]) -> None:
    """Have boto3 say when a copy was answered: the loop itself is not touched."""
    client.meta.events.register("after-call.s3.CopyObject", lambda **_: count())


def _progress(voice: Voice, what: str, total: int = COUNT) -> Progress:
    """Return a bar that is there as long as the work takes, on a terminal only."""
    columns = (TextColumn("         {task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(
        *columns, console=voice.progress, transient=True, disable=not voice.progress.is_terminal
    )
    bar.add_task(what, total=total)
    return bar


def _counter(bar: Progress, interrupts: Interrupts) -> Callable[[], None]:
    """Return what is called after each object. It raises Interrupted if a signal came."""

    def count() -> None:
        bar.advance(bar.task_ids[0])
        interrupts.check()

    return count


def read_objects(
    stage: Stage, target: str, bucket: str, prefix: str, count: Callable[[], None]
) -> dict[str, Stored]:
    """Return the objects below a prefix, read from their server directly."""
    client = client_of_server(stage.servers[target])

    def read(key: str) -> tuple[str, Stored]:
        got = client.get_object(Bucket=bucket, Key=key)
        body = got["Body"].read()
        digest = hashlib.sha256(body).hexdigest()
        stored = Stored(len(body), digest, got["ContentType"], got["Metadata"])
        return key.removeprefix(prefix), stored

    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    found = {}
    with ThreadPoolExecutor(READERS) as readers:
        for key, stored in readers.map(read, keys):
            found[key] = stored
            count()
    return found


def check(old: Mapping[str, Stored], new: Mapping[str, Stored]) -> None:
    """Raise Differs unless both hold the demo's objects, and the same ones."""
    if len(old) != COUNT:
        raise Differs(f"{OLD} holds {len(old)} objects instead of {COUNT}")
    wrong = [f"{key} is not in {NEW}" for key in sorted(old.keys() - new.keys())]
    wrong += [f"{key} is not in {OLD}" for key in sorted(new.keys() - old.keys())]
    for key in sorted(old.keys() & new.keys()):
        wrong += [f"{key} has another {what}" for what in _differences(old[key], new[key])]
    if wrong:
        shown = "".join(f"\n  {line}" for line in wrong[:SHOWN])
        raise Differs(f"{len(wrong)} differences between {OLD} and {NEW}, such as:{shown}")


def _differences(one: Stored, other: Stored) -> list[str]:
    found = {
        "size": one.size != other.size,
        "content": one.sha256 != other.sha256,
        "type": one.content_type != other.content_type,
        "metadata": one.metadata != other.metadata,
    }
    return [what for what, differs in found.items() if differs]


def table(stage: Stage, old: Mapping[str, Stored], new: Mapping[str, Stored]) -> Table:
    drawn = Table(title="What was moved (read directly from each server)", title_justify="left")
    for heading in ("Target", "Server", "Bucket"):
        drawn.add_column(heading, no_wrap=True)
    for heading in ("Objects", "Bytes"):
        drawn.add_column(heading, justify="right")
    for target, bucket, found in (("s3", OLD, old), ("lakefs", NEW, new)):
        size = sum(one.size for one in found.values())
        endpoint = stage.servers[target].endpoint
        drawn.add_row(target, endpoint, bucket, str(len(found)), f"{size:,}")
    return drawn
