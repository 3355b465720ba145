"""What goes between two places while stores fail: copies, copied parts, batches of deletes.

A step that fails because a store did leaves each object whole: at the destination the old one or
the new one, at the source what was there. Which one it is, is looked up, and the next steps go on
from there. A step that succeeds, though a store failed, has done all of its work.

Rules: after each step what it was about is read past the gateway, at the store itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from botocore.exceptions import HTTPClientError
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.compat.live import same
from tests.compat.model import differences
from tests.compat.model.layouts import KEYS, LAKE, Place
from tests.compat.model.machine import (
    Machine,
    Upload,
    abouts,
    asked,
    buckets,
    keys,
    large_bodies,
    refusal,
)
from tests.compat.model.objects import About, Pairs, Stored
from tests.compat.model.world import Struck
from tests.doubles.breaking_proxy import Fault, FaultKind

SPLIT = ("keyed", "stripped", "asked")  # buckets whose keys may be at several places
MIGRATED = 4  # objects at most of one bucket

# What a client gets if a store fails: the gateway's code, and that of a store with 503.
OF_A_FAULT = ("ServiceUnavailable", "SlowDown")
OF_A_KEY = ("InternalError", "SlowDown")  # the same, of one key in a batch
# Nothing: the answer that the gateway relays broke off.
BROKEN = "(broken off)"

_EARLY, _LATE = datetime(2001, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)
# A condition on a source: its name, its value (None: the ETag of the source), whether it holds.
Condition = tuple[str, Any, bool]
CONDITIONS: tuple[Condition, ...] = (
    ("IfMatch", None, True),
    ("IfMatch", '"0123456789abcdef0123456789abcdef"', False),
    ("IfNoneMatch", None, False),
    ("IfNoneMatch", '"0123456789abcdef0123456789abcdef"', True),
    ("IfModifiedSince", _EARLY, True),
    ("IfUnmodifiedSince", _LATE, True),
    ("IfUnmodifiedSince", _EARLY, False),
)

# Heads have 500 to 1,000 bytes, a copy is 4 to 6 requests.
passing = st.sampled_from([0, 1, 300, 500, 700, 900, 1100, 1300, 1600, 2000, 80_000, 500_000])
faults = st.builds(
    Fault,
    st.sampled_from(FaultKind),
    passing,
    st.sampled_from([1, 1, 2, 100]),
)
conditions = st.sampled_from([None, None, None, None, *CONDITIONS])
ends = st.booleans()  # the fault is at the source; else at the destination
ranges = st.none() | st.tuples(st.integers(0, 120), st.integers(0, 120))


class How(NamedTuple):
    """What a CopyObject says but for its source; about, tags: None for those of the source."""

    about: About | None
    tags: Pairs | None
    condition: Condition | None
    if_absent: bool

    def arguments(self, etag: str) -> dict[str, Any]:
        """As boto3 has them."""
        found = source_condition(self.condition, etag)
        if self.about is not None:
            found |= {"MetadataDirective": "REPLACE", **self.about.described}
        if self.tags is not None:
            found |= {"TaggingDirective": "REPLACE", "Tagging": urlencode(self.tags)}
        if self.if_absent:
            found["IfNoneMatch"] = "*"
        return found

    def new(self, source: Stored) -> Stored:
        """The object that it makes."""
        about = self.about or source.about
        tags = source.about.tags if self.tags is None else self.tags
        return Stored(source.body, about._replace(tags=tags))


PLAIN = How(None, None, None, if_absent=False)
hows = st.builds(
    How,
    st.none() | abouts,
    st.sampled_from([None, None, (), (("new", "tag"),)]),
    conditions,
    st.sampled_from([False, False, False, True]),
)


def source_condition(condition: Condition | None, etag: str) -> dict[str, Any]:
    """A condition on the source, as boto3 has it; `etag`: of the source."""
    if condition is None:
        return {}
    name, value, _ = condition
    return {f"CopySource{name}": etag if value is None else value}


def md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


class Across(Machine):
    """The machine with all of its steps."""

    # Copies

    @rule(bucket=buckets, key=keys, source=buckets, data=st.data(), how=hows)
    def copy(self, bucket: str, key: str, source: str, data: st.DataObject, how: How) -> None:
        self.make_copy(bucket, key, source, self.some_key(data, source), how)

    @rule(
        bucket=buckets,
        key=keys,
        source=buckets,
        data=st.data(),
        fresh=st.none() | large_bodies,
        how=st.just(PLAIN) | hows,
        fault=faults,
        at_source=ends,
    )
    def copy_while_a_store_fails(
        self,
        bucket: str,
        key: str,
        source: str,
        data: st.DataObject,
        fresh: bytes | None,
        how: How,
        fault: Fault,
        at_source: bool,
    ) -> None:
        named = self.some_key(data, source)
        if fresh is not None:
            self.write(source, named, fresh, data.draw(abouts))
        self.make_copy(bucket, key, source, named, how, fault, at_source=at_source)

    @rule(
        bucket=buckets,
        key=keys,
        source=buckets,
        data=st.data(),
        body=large_bodies,
        after=st.sampled_from([600, 1300, 3000, 50_000, 500_000]),
    )
    def copy_what_changes(
        self, bucket: str, key: str, source: str, data: st.DataObject, body: bytes, after: int
    ) -> None:
        """Copy an object that is overwritten when its source breaks off, and then read on."""
        named = self.some_key(data, source)
        self.write(source, named, body, About())
        fault = Fault(FaultKind.ANSWER_BREAKS, after)
        self.make_copy(bucket, key, source, named, PLAIN, fault, at_source=True, changes=True)

    @rule(bucket=buckets, source=buckets, data=st.data())
    def migrate_while_stores_fail(self, bucket: str, source: str, data: st.DataObject) -> None:
        """Copy what a bucket has, and then once more what could not be copied."""
        for named in [key for key in KEYS if self.is_there(source, key)][:MIGRATED]:
            fault = data.draw(faults)
            failed = self.world.failed
            self.make_copy(bucket, named, source, named, PLAIN, fault, at_source=data.draw(ends))
            if self.world.failed > failed:
                self.make_copy(bucket, named, source, named, PLAIN)

    def make_copy(
        self,
        bucket: str,
        key: str,
        source: str,
        named: str,
        how: How,
        fault: Fault | None = None,
        *,
        at_source: bool = False,
        changes: bool = False,
    ) -> None:
        """Copy an object; `changes`: another client overwrites it in the moment of the fault."""
        place = self.layout.place(bucket, key, looks=False)
        origin = self.layout.place(source, named, looks=True)
        if differences.of_key(place, key) or differences.of_key(origin, named):
            return
        if differences.of_copy(place, origin, how, had_tags=place.at(key) in self.tagged):
            return
        if place.at(key) == origin.at(named) and (how.about is None or changes):
            return  # S3 refuses a copy onto itself that changes nothing, SeaweedFS makes it
        wanted = {
            "Key": key,
            "CopySource": {"Bucket": self.world.full(source), "Key": named},
            **how.arguments(self.etag(how.condition, source, named)),
        }
        expected = self.expected_of_copy(place, key, origin, named, how)
        old, there = self.objects.get(place.at(key)), self.objects.get(origin.at(named))
        other = None if there is None or not changes else there.changed
        target = (origin if at_source else place).target
        with self.world.failing(target, fault, self.writer(origin.at(named), other)) as struck:
            code = self.code("copy_object", bucket, wanted)
        self.check(code, expected, struck, place, origin)
        sources = [there, other] if struck.times and other is not None else [there]
        new = [] if expected else [how.new(found) for found in sources if found is not None]
        self.observe(place.at(key), [old, *new] if code else new)
        if place.at(key) != origin.at(named):
            self.observe(origin.at(named), sources[-1:])

    def writer(self, place: tuple[str, str, str], new: Stored | None) -> Callable[[], None] | None:
        """What writes an object past the gateway; None: nothing does."""
        return None if new is None else partial(self.world.write, place, new)

    def expected_of_copy(self, place: Place, key: str, origin: Place, named: str, how: How) -> str:
        """The code that a copy gets if no store fails; empty: it is made."""
        # lakeFS has no conditions on a copy: the gateway makes one that has.
        is_made_by_lakefs = place.target == origin.target == LAKE and not how.if_absent
        if found := refusal(place, key) or refusal(origin, named):
            return found
        if is_made_by_lakefs and how.tags is not None:
            return "NotImplemented"
        source = self.objects.get(origin.at(named))
        if source is None:
            return "NoSuchKey"
        if how.condition is not None and not how.condition[2]:
            return "PreconditionFailed"
        if place.target == LAKE and how.new(source).about.tags:
            return "NotImplemented"
        is_there = place.at(key) in self.objects
        return "PreconditionFailed" if how.if_absent and is_there else ""

    # Parts

    @rule(
        bucket=buckets,
        key=keys,
        about=abouts,
        source=buckets,
        data=st.data(),
        fresh=st.none() | large_bodies,
        fault=st.none() | faults,
    )
    def begin_and_copy(
        self,
        bucket: str,
        key: str,
        about: About,
        source: str,
        data: st.DataObject,
        fresh: bytes | None,
        fault: Fault | None,
    ) -> None:
        named = self.some_key(data, source)
        if fresh is not None:
            self.write(source, named, fresh, About())
        upload = self.begin(bucket, key, about)
        if upload is None:
            return
        self.copy_part(data, upload, 2, source, named, fault)
        if not upload.parts:
            self.give_up(upload)

    @precondition(lambda self: bool(self.uploads))
    @rule(data=st.data(), number=st.sampled_from([1, 2]), source=buckets, fault=st.none() | faults)
    def copy_into_upload(
        self, data: st.DataObject, number: int, source: str, fault: Fault | None
    ) -> None:
        upload = self.some_upload(data)
        is_small = number == 1 and upload.place.target in differences.SEAWEED
        if is_small or differences.of_part(upload.place, was_sent=number in upload.parts):
            return
        self.copy_part(data, upload, number, source, self.some_key(data, source), fault)

    def copy_part(
        self,
        data: st.DataObject,
        upload: Upload,
        number: int,
        source: str,
        named: str,
        fault: Fault | None,
    ) -> None:
        place, origin = upload.place, self.layout.place(source, named, looks=True)
        wanted_range, condition = data.draw(ranges), data.draw(conditions)
        there = self.objects.get(origin.at(named))
        if differences.of_key(origin, named):
            return
        body = there.body if there is not None else b""
        is_within = wanted_range is None or sum(wanted_range) < len(body)
        if differences.of_copied_part(
            place, origin, condition, is_there=there is not None, is_within=is_within
        ):
            return
        wanted = {
            **upload.named,
            "PartNumber": number,
            "CopySource": {"Bucket": self.world.full(source), "Key": named},
            **source_condition(condition, self.etag(condition, source, named)),
        }
        if wanted_range is not None:
            wanted["CopySourceRange"] = f"bytes={wanted_range[0]}-{sum(wanted_range)}"
        expected = refusal(origin, named) or ("" if there is not None else "NoSuchKey")
        if not expected and condition is not None and not condition[2]:
            expected = "PreconditionFailed"
        if not expected and not is_within:
            expected = "InvalidArgument"
        if wanted_range is not None:
            body = body[wanted_range[0] : sum(wanted_range) + 1]
        at_source = data.draw(ends)
        with self.world.failing((origin if at_source else place).target, fault) as struck:
            code = self.code("upload_part_copy", upload.bucket, wanted)
        also = differences.of_missing_source(place, origin) if there is None else ()
        self.check(code, expected, struck, place, origin, also=also)
        self.observe_part(upload, number, origin, None if expected else body, is_stored=not code)
        self.observe(origin.at(named), [there])

    def observe_part(
        self, upload: Upload, number: int, origin: Place, new: bytes | None, *, is_stored: bool
    ) -> None:
        """Look up a part: the new one if it `is_stored`, else that or the old one; both whole.

        new: None if there can be none.
        """
        code, answer = self.ask("list_parts", upload.bucket, **upload.named)
        assert code == "", (code, upload)
        rows = {row["PartNumber"]: row for row in answer.get("Parts", ())}
        row = rows.get(number)
        if new is not None and row is not None and _is_part(row, new, upload.place, origin):
            upload.parts[number], upload.etags[number] = new, row["ETag"]
        else:
            assert not is_stored, (upload, row, origin)
            old = upload.parts.get(number)
            found = None if row is None else (row["ETag"], row["Size"])
            wanted = None if old is None else (upload.etags[number], len(old))
            assert found == wanted, (upload, row, origin)

    # Batches

    @rule(
        bucket=buckets | st.sampled_from(SPLIT),
        data=st.data(),
        new=st.lists(keys, max_size=4),
        count=st.integers(1, 3),
        fault=st.none() | faults,
    )
    def delete_batch(
        self, bucket: str, data: st.DataObject, new: list[str], count: int, fault: Fault | None
    ) -> None:
        for key in new:
            self.write(bucket, key, b"to be deleted", About())
        chosen = list(dict.fromkeys([*new, *(self.some_key(data, bucket) for _ in range(count))]))
        places = {key: self.layout.place(bucket, key, looks=True) for key in chosen}
        if any(differences.of_key(place, key) for key, place in places.items()):
            return
        expected, wrong = self.expected_of_batch(places)
        batch = {"Objects": [{"Key": key} for key in chosen]}
        target = places[data.draw(st.sampled_from(chosen))].target
        with self.world.failing(target, fault) as struck:
            code, answer = self.answer("delete_objects", bucket, {"Delete": batch})
        errors = {row["Key"]: row["Code"] for row in answer.get("Errors", ())}
        deleted = [row["Key"] for row in answer.get("Deleted", ())]
        failed = [errors[key] for key in errors if errors[key] != wrong.get(key)]
        assert not failed or (struck.times and set(failed) <= set(OF_A_KEY)), (errors, places)
        if not code:
            assert sorted([*errors, *deleted]) == sorted(chosen), (errors, deleted, places)
            assert not set(wrong) & set(deleted), (errors, deleted, places)
        self.check(code, expected, struck, *places.values(), is_part=bool(failed))
        for key, place in places.items():
            old = self.objects.get(place.at(key))
            is_refused = bool(expected) or key in wrong
            may = [None] if key in deleted else [old] if is_refused else [old, None]
            self.observe(place.at(key), may)

    def expected_of_batch(self, places: dict[str, Place]) -> tuple[str, dict[str, str]]:
        """The code of a batch, and those of its keys that are not deleted, if no store fails."""
        wrong = {key: found for key, place in places.items() if (found := refusal(place, key))}
        target = next(iter(places.values())).target
        if len(set(places.values())) == 1:
            is_refused = differences.of_batch(target, list(places))
            return ("NotImplemented" if is_refused else ""), wrong
        for key, place in places.items():
            if differences.of_batch(place.target, [key]):
                wrong.setdefault(key, "NotImplemented")
        return "", wrong

    # What came of a step

    def etag(self, condition: Condition | None, bucket: str, key: str) -> str:
        """Of the source, if the condition is about it and it is there."""
        if condition is None or condition[1] is not None or not self.is_there(bucket, key):
            return '"0"'
        code, answer = self.ask("head_object", bucket, Key=key)
        assert code == "", (code, bucket, key)
        return str(answer["ETag"])

    def code(self, operation: str, bucket: str, arguments: dict[str, Any]) -> str:
        return self.answer(operation, bucket, arguments)[0]

    def answer(self, operation: str, bucket: str, arguments: dict[str, Any]) -> tuple[str, Any]:
        """The code and the answer of a request whose answer may break off."""
        work = getattr(self.client, operation)
        try:
            return asked(work, Bucket=self.world.full(bucket), **arguments)
        except HTTPClientError:
            return BROKEN, {}

    def check(
        self,
        code: str,
        expected: str,
        struck: Struck,
        *places: Place,
        is_part: bool = False,
        also: tuple[str, ...] = (),
    ) -> None:
        """Check the code of a step whose store may have failed, and count the step.

        is_part: some of its keys have failed, though it has not.
        also: codes that it may have if a store failed.
        """
        may = [expected]
        if struck.times:
            may += [*OF_A_FAULT, *also]
        if struck.times and len({place.target for place in places}) == 1:
            may.append(BROKEN)  # the relay has handed on what had come
        assert code in may, (code, may, places)
        self.step(code if code == expected else "")
        has_failed = is_part or code != expected
        self.world.failed += has_failed
        self.world.withstood += bool(struck.times) and not has_failed

    def observe(self, place: tuple[str, str, str], may: list[Stored | None]) -> None:
        """Look up what is at a place: one of these, whole; the model takes it."""
        found = self.world.read(place)
        equal = [stored for stored in may if _is_same(stored, found)]
        assert equal, (place, found, may)
        if found is None:
            self.objects.pop(place, None)
        else:
            self.keep(place, found)


def _is_part(row: Any, body: bytes, place: Place, origin: Place) -> bool:
    """Whether a row of ListParts is a part with these bytes."""
    has_digest = row["ETag"].strip('"') == md5(body)
    return row["Size"] == len(body) and bool(has_digest or differences.of_digest(place, origin))


def _is_same(one: Stored | None, other: Stored | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.about == other.about and same(one.body, other.body)
