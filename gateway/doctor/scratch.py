"""Writes an object of its own to a bucket, reads, lists and deletes it.

Rules: its key is random; whatever happens, an interrupt too, the object is deleted, in every
version; what could not be deleted is an error that names it.
"""

from __future__ import annotations

import contextlib
import http.client
import secrets
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from fastpath.routing.snapshot import Target
from gateway.connect.classify import refusal
from gateway.doctor.findings import Finding, Level
from gateway.probe.store import Answer, ProbeError, Store

_BYTES: Final = 1024
_STEP: Final = "write"
_FAULTS: Final = (OSError, http.client.HTTPException, ProbeError)


class Place(NamedTuple):
    """Where doctor may write: TARGET/BUCKET[/PREFIX]."""

    target: str
    bucket: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """Returns the place that a word of the command line names; None if it names none."""
        target, _, rest = text.partition("/")
        bucket, _, prefix = rest.partition("/")
        return cls(target, bucket, prefix) if target and bucket else None

    def __str__(self) -> str:
        return f"{self.bucket}/{self.prefix}"


def scratch(target: Target, place: Place) -> Iterator[Finding]:
    """Yields what is found."""
    about = f"target {target.name}"
    try:
        store = Store(target, place.bucket, place.prefix)
    except ProbeError as error:
        yield Finding(Level.ERROR, about, _STEP, str(error), "give it a key pair")
        return
    key, left = store.new_key("doctor"), ""
    try:
        found = _tried(store, key, about, place)
    except _FAULTS as fault:
        message = f"a request to {place} broke off: {type(fault).__name__}"
        found = Finding(Level.ERROR, about, _STEP, message, "look at the target's own log")
    finally:
        left = _delete(store, key)
    yield found
    if left:
        remedy = f"delete what begins with {store.root} in {place.bucket}"
        yield Finding(Level.ERROR, about, _STEP, f"could not delete {left}", remedy)


def _tried(store: Store, key: str, about: str, place: Place) -> Finding:
    body, began = secrets.token_bytes(_BYTES), time.monotonic()
    put = store.put(key, body)
    if not put.good:
        return _refused(put, about, f"PutObject to {place}", "s3:PutObject")
    got = store.ask("GET", key)
    if not got.good:
        return _refused(got, about, f"GetObject from {place}", "s3:GetObject")
    if got.body != body:
        message = f"what was read from {place} is not what was written"
        return Finding(Level.ERROR, about, _STEP, message, "look for a proxy that changes bodies")
    listed = store.ask("GET", query=f"list-type=2&prefix={store.root.replace('/', '%2F')}")
    if not listed.good:
        return _refused(listed, about, f"ListObjectsV2 of {place}", "s3:ListBucket")
    if key not in listed.texts("Key"):
        message = f"a list of {place} lacks the object that was just written"
        return Finding(
            Level.WARNING, about, _STEP, message, "its lists are late: do not rely on them"
        )
    deleted = store.ask("DELETE", key)
    if not deleted.good:
        return _refused(deleted, about, f"DeleteObject in {place}", "s3:DeleteObject")
    seconds = time.monotonic() - began
    said = f"an object was written to {place}, read, listed and deleted ({1000 * seconds:.0f} ms)"
    return Finding(Level.OK, about, _STEP, said)


def _refused(answer: Answer, about: str, what: str, right: str) -> Finding:
    status, _, code = answer.code.partition(" ")
    known = refusal(code)
    message = f"{what} is answered {status} {code}" if code.isalnum() else f"{what}: {status}"
    if known is not None:
        remedy = known[1]
    elif answer.status in (401, 403):
        remedy = f"allow its credentials {right} there"
    elif answer.status == 404:
        remedy = "correct the bucket (lakeFS: TARGET/REPOSITORY/BRANCH/)"
    else:
        remedy = "look at the target's own log"
    return Finding(Level.ERROR, about, _STEP, message, remedy)


def _delete(store: Store, key: str) -> str:
    """Deletes the object, if there may be one; returns what is left."""
    with contextlib.suppress(*_FAULTS):
        gone = store.ask("DELETE", key).good or store.ask("HEAD", key).status == 404
        left = store.tidy()
        return ", ".join(left) or ("" if gone else key)
    return key
