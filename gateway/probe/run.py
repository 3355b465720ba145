"""Runs one probe from beginning to end: the bucket, every trial, and the removal of what was
made.

Rules: no trial runs before a plain object was written and read back; buckets are made only if that
was allowed, and deleted only if they were made here.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator

from fastpath.sockets.diagnosis import of_answer, of_connect
from gateway.connect.classify import refusal
from gateway.probe.conditions import try_conditions, try_versions
from gateway.probe.findings import Findings
from gateway.probe.integrity import try_integrity
from gateway.probe.lists import try_deletes, try_hosts, try_lists
from gateway.probe.store import Answer, ProbeError, Store
from gateway.probe.streaming import try_streaming
from gateway.probe.subresources import (
    try_bucket_reads,
    try_bucket_writes,
    try_object_subresources,
)

_TRIALS = (
    try_integrity,
    try_streaming,
    try_object_subresources,
    try_bucket_reads,
    try_conditions,
    try_deletes,
    try_lists,
    try_hosts,
)


def probe(store: Store, findings: Findings, *, create: bool) -> None:
    """Runs all trials. `create`: buckets may be made. Raises ProbeError."""
    try:
        with _bucket(store, findings, create=create):
            _check(store)
            for trial in _TRIALS:
                trial(store, findings)
        if create:
            _try_own_bucket(store.another(), findings)
        else:
            findings.say("note: settings of buckets and versions: not tried without --create")
    except http.client.BadStatusLine as error:
        cause = of_answer(str(error.args[0]).encode("latin-1", "replace"))
        raise ProbeError(f"the target does not answer: {cause}") from error
    except (OSError, http.client.HTTPException) as error:
        cause = of_connect(error, tls=store.secure)
        raise ProbeError(f"the target does not answer: {cause}") from error


@contextlib.contextmanager
def _bucket(store: Store, findings: Findings, *, create: bool) -> Iterator[None]:
    """Provides the bucket, and removes what was made in it at the end."""
    there = store.ask("HEAD")
    made = create and there.status == 404  # a bucket that cannot be read may be somebody's
    if not there.good and not made:
        hint = ", make it or allow it by --create" if there.status == 404 else ""
        raise ProbeError(f"bucket {store.bucket} cannot be read: {_why(store, there)}{hint}")
    if made and not (answer := store.create()).good:
        raise ProbeError(f"cannot create bucket {store.bucket}: {answer.code}")
    try:
        yield
    finally:
        left = store.tidy()
        if made and not left:
            store.ask("DELETE")
        for key in left:
            findings.say(f"note: left behind: {store.bucket}/{key}")


def _why(store: Store, refused: Answer) -> str:
    """Returns the error code behind a refused HEAD (a GET has a document), and a remedy."""
    if refused.status not in (400, 401, 403):
        return refused.code
    found = store.ask("GET", query="max-keys=0").texts("Code")
    named = refusal(found[0]) if found else None
    if named is None:
        return f"{refused.status} {found[0]}" if found else refused.code
    message, remedy, _ = named
    return f"{refused.status} {found[0]}: {message} ({remedy})"


def _check(store: Store) -> None:
    """Whether an object can be written, read and listed at all."""
    key, body = store.an_object("first")
    answer = store.ask("GET", key)
    if answer.body != body:
        raise ProbeError(f"cannot read {key}, which was just written: {answer.code}")
    if key not in store.listed():
        raise ProbeError(f"cannot list {store.root}, so nothing could be tidied up")


def _try_own_bucket(bucket: Store, findings: Findings) -> None:
    """Runs the trials that may destroy their bucket."""
    with _bucket(bucket, findings, create=True):
        try_bucket_writes(bucket, findings)
        try_versions(bucket, findings)
