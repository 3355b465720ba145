"""Reads and replaces the source of a copy, or of a rename, in a request's head.

Rules: a request names one source; a raw `+` in it never goes up, because S3 reads a space there
(rclone escapes it for that reason) and other stores a plus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from fastpath.errors import INVALID_ARGUMENT, S3Error
from fastpath.http.head import RequestHead
from fastpath.s3.addressing import locate_copy_source, plus_as_space

RENAME_SOURCE = b"x-amz-rename-source"

Fields = Sequence[tuple[bytes, bytes]]


class SourceName(NamedTuple):
    """The object that a request reads or renames, as the client names it."""

    bucket: bytes
    key: bytes


def source_of(head: RequestHead, name: bytes) -> SourceName:
    """Return the source in the header of this name. Raises S3Error."""
    values = [value for sent, value in head.headers if sent == name]
    if len(values) != 1:  # targets differ in which one they use
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", name.decode()),
            message="Only one copy source may be given.",
        )
    return SourceName(*locate_copy_source(without_plus(values[0]), name.decode()))


class Rewritten(NamedTuple):
    """A head with another source.

    query_headers: the headers that came only in the query.
    headers: those that replace the client's.
    """

    head: RequestHead
    query_headers: Fields
    headers: Fields


def with_source(
    head: RequestHead, name: bytes, query_headers: Fields, new: bytes | None
) -> Rewritten:
    """Replace the source by `new`; None: by itself, without a raw `+`."""
    sent = head.fields[name]
    value = without_plus(sent) if new is None else new
    if value == sent:
        return Rewritten(head, query_headers, ())
    others = [field for field in head.headers if field[0] != name]
    new_head = replace(head, headers=[*others, (name, value)], fields={**head.fields, name: value})
    if any(field[0] == name for field in query_headers):
        kept = [field for field in query_headers if field[0] != name]
        return Rewritten(new_head, [*kept, (name, value)], ())
    return Rewritten(new_head, query_headers, [(name, value)])


def without_plus(value: bytes) -> bytes:
    """Return a source with each raw `+` escaped; a version behind the key stays as it is."""
    key, question, version = value.partition(b"?")
    return plus_as_space(key) + question + version
