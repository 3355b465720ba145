"""The machine: random operations of clients and reloads, each compared with a dictionary.

    objects    (target, bucket there, key there) -> the object, of all stores together
    uploads    those that were begun and have not ended, each with the place where it began

Rules: what an answer has to be is computed from these two and the layout (`layouts`), never from
the answer; what a store does otherwise than S3, whoever sends it, is left out for the reason that
`differences` gives. What concerns two places, and stores that fail, is in `across`.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.compat.live import same
from tests.compat.model import differences
from tests.compat.model.layouts import (
    BUCKETS,
    KEYS,
    LAKE,
    LAYOUTS,
    MAX_KEY,
    PREFIXES,
    ROUTERS,
    Layout,
    Place,
)
from tests.compat.model.objects import About, Objects, Stored
from tests.compat.model.world import World

# Of a HEAD, which has no document.
MISSING = "404"
STATUS = {None: "", "NotImplemented": "501", "KeyTooLongError": "400"}

buckets = st.sampled_from(BUCKETS)
keys = st.sampled_from(KEYS)
prefixes = st.sampled_from(PREFIXES)
delimiters = st.sampled_from(["", "", "/"])
sizes = st.sampled_from([1, 2, 3, 1000])
versions = st.sampled_from([1, 2])
layouts = st.integers(0, len(LAYOUTS) - 1)
choices = st.integers(0, 3)
# Mostly none: with one, each reload starts a process, and takes as long as fifty other steps.
routers = st.sampled_from([0] * len(ROUTERS) + [*range(len(ROUTERS))])
in_progress = precondition(lambda self: bool(self.uploads))
bodies = st.builds(
    lambda text, size: (text * size)[:size].encode(),
    st.sampled_from(["a", "bc", "0123456789", "xyz-"]),
    st.sampled_from([0, 1, 40, 99, 100, 250]),
)
# Several reads of a connection, and more than one call to a target keeps in memory.
large_bodies = st.builds(
    lambda seed, size: random.Random(seed).randbytes(size),
    st.integers(0, 99),
    st.sampled_from([70_000, 300_000, 900_000]),
)
abouts = st.sampled_from(
    [
        About(),
        About("text/plain"),
        About("text/csv; charset=utf-8", (("owner", "me"),)),
        About("application/x-model", (("a", "1"), ("b-c", "two words, and more"))),
        About(tags=(("k", "v"),)),
        About("text/plain", (("owner", "you"),), (("k", ""), ("two words", "a+b/c=d:e"))),
    ]
)


@dataclass
class Upload:
    """An upload in parts: as its client knows it, and the object that it will make."""

    bucket: str
    key: str
    upload_id: str
    place: Place
    about: About
    parts: dict[int, bytes] = field(default_factory=dict)
    etags: dict[int, str] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, str]:
        return {"Key": self.key, "UploadId": self.upload_id}


def refusal(place: Place, key: str) -> str | None:
    """The code that a key gets which has no name at its place."""
    name = place.up(key)
    if not name:
        return "NotImplemented"
    return "KeyTooLongError" if len(name.encode()) > MAX_KEY else None


def asked(work: Any, **arguments: Any) -> tuple[str, Any]:
    """The code of an error, or nothing, and the answer."""
    try:
        return "", work(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response


class Machine(RuleBasedStateMachine):
    """One play: from empty stores to a comparison of all that they hold."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.client = world.client
        self.layout = Layout()
        self.objects: Objects = {}
        self.tagged: set[tuple[str, str, str]] = set()  # where an object has had tags
        self.uploads: list[Upload] = []
        world.clear()
        world.reload(self.layout)

    # What the model says

    def found(self, place: Place, prefix: str = "") -> dict[str, bytes]:
        """The objects of a place below a client's prefix, by the client's names."""
        up = place.up(prefix)
        return {
            place.down(key): stored.body
            for (target, bucket, key), stored in self.objects.items()
            if (target, bucket) == (place.target, place.bucket) and key.startswith(up)
        }

    def is_there(self, bucket: str, key: str) -> bool:
        return self.layout.place(bucket, key, looks=True).at(key) in self.objects

    def some_key(self, data: st.DataObject, bucket: str) -> str:
        """A key: mostly one that is there."""
        there = [key for key in KEYS if self.is_there(bucket, key)]
        wants_one_that_is_there = data.draw(st.sampled_from([True, True, True, False]))
        return data.draw(st.sampled_from(there) if there and wants_one_that_is_there else keys)

    def keep(self, place: tuple[str, str, str], stored: Stored) -> None:
        """Take an object that is there now."""
        self.objects[place] = stored
        if stored.about.tags:
            self.tagged.add(place)

    def step(self, code: str) -> None:
        """Count a step that was compared."""
        self.world.steps += 1
        self.world.refused += bool(code)

    # Objects

    @initialize(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        for bucket in BUCKETS:
            self.write(bucket, data.draw(keys), data.draw(bodies), data.draw(abouts))

    @rule(bucket=buckets, key=keys, body=bodies, about=abouts)
    def put(self, bucket: str, key: str, body: bytes, about: About) -> None:
        self.write(bucket, key, body, about)

    @rule(bucket=buckets, data=st.data(), body=bodies | large_bodies, about=abouts)
    def overwrite(self, bucket: str, data: st.DataObject, body: bytes, about: About) -> None:
        self.write(bucket, self.some_key(data, bucket), body, about)

    def write(self, bucket: str, key: str, body: bytes, about: About) -> None:
        place = self.layout.place(bucket, key, looks=False, length=len(body))
        if differences.of_key(place, key):
            return
        code, _ = self.ask(
            "put_object", bucket, Key=key, Body=body, **about.described, **about.tagged
        )
        expected = refusal(place, key)
        if not expected and about.tags and place.target == LAKE:
            expected = "NotImplemented"
        assert code == (expected or ""), (code, expected, place)
        if not expected:
            self.keep(place.at(key), Stored(body, about))
        self.step(code)

    @rule(bucket=buckets, data=st.data(), ends=st.none() | st.tuples(*[st.integers(0, 120)] * 2))
    def get(self, bucket: str, data: st.DataObject, ends: tuple[int, int] | None) -> None:
        key = self.some_key(data, bucket)
        place = self.layout.place(bucket, key, looks=True)
        if differences.of_key(place, key):
            return
        wanted = {} if ends is None else {"Range": f"bytes={ends[0]}-{sum(ends)}"}
        code, answer = self.ask("get_object", bucket, Key=key, **wanted)
        stored = self.objects.get(place.at(key))
        expected = refusal(place, key) or ("" if stored is not None else "NoSuchKey")
        body = stored.body if stored is not None else b""
        if not expected and ends is not None:
            expected = "InvalidRange" if ends[0] >= len(body) else ""
            body = body[ends[0] : sum(ends) + 1]
        assert code == expected, (code, expected, place)
        if not expected:
            assert same(answer["Body"].read(), body)
        self.step(code)

    @rule(bucket=buckets, data=st.data())
    def head(self, bucket: str, data: st.DataObject) -> None:
        key = self.some_key(data, bucket)
        place = self.layout.place(bucket, key, looks=True)
        if differences.of_key(place, key):
            return
        code, answer = self.ask("head_object", bucket, Key=key)
        stored = self.objects.get(place.at(key))
        expected = STATUS[refusal(place, key)] or ("" if stored is not None else MISSING)
        assert code == expected, (code, expected, place)
        if stored is not None:
            assert answer["ContentLength"] == len(stored.body)
            assert answer["ContentType"] == stored.about.content_type
            assert answer["Metadata"] == dict(stored.about.metadata)
        self.step(code)

    @rule(bucket=buckets, data=st.data())
    def delete(self, bucket: str, data: st.DataObject) -> None:
        key = self.some_key(data, bucket)
        place = self.layout.place(bucket, key, looks=True)
        if differences.of_key(place, key):
            return
        code, _ = self.ask("delete_object", bucket, Key=key)
        expected = refusal(place, key)
        assert code == (expected or ""), (code, expected, place)
        if not expected:
            self.objects.pop(place.at(key), None)
        self.step(code)

    # Lists

    @rule(bucket=buckets, data=st.data(), delimiter=delimiters, size=sizes, version=versions)
    def list_everything(
        self, bucket: str, data: st.DataObject, delimiter: str, size: int, version: int
    ) -> None:
        self.list_objects(bucket, "", delimiter, self.some_marker(data, bucket, ""), size, version)

    @rule(bucket=buckets, prefix=prefixes, data=st.data(), delimiter=delimiters, size=sizes)
    def list_below(
        self, bucket: str, prefix: str, data: st.DataObject, delimiter: str, size: int
    ) -> None:
        self.list_objects(
            bucket, prefix, delimiter, self.some_marker(data, bucket, prefix), size, 2
        )

    def some_marker(self, data: st.DataObject, bucket: str, prefix: str) -> str | None:
        """None, or a key after which a list is to begin: mostly one that is there."""
        place = self.layout.place_of_list(bucket, prefix)
        there = sorted(self.found(place, prefix)) if place is not None else []
        kind = data.draw(st.sampled_from(["none", "there", "there", "any"]))
        if kind == "none":
            return None
        return data.draw(st.sampled_from(there) if there and kind == "there" else keys)

    def list_objects(
        self, bucket: str, prefix: str, delimiter: str, after: str | None, size: int, version: int
    ) -> None:
        place = self.layout.place_of_list(bucket, prefix)
        asked_for: dict[str, Any] = {"Prefix": prefix, "Delimiter": delimiter, "MaxKeys": size}
        if place is not None and differences.of_first_version(place, delimiter, size):
            version = 2
        marker = "StartAfter" if version == 2 else "Marker"
        if after is not None:
            asked_for[marker] = after
        if place is None:
            code, _ = self.ask(f"list_objects{'_v2' * (version == 2)}", bucket, **asked_for)
            assert code == "NotImplemented", (code, prefix, self.layout)
            self.step(code)
            return
        if differences.of_marker(place, prefix, delimiter, after):
            return
        wanted_keys, wanted_prefixes = self.expected_list(place, prefix, delimiter, after or "")
        found_keys, found_prefixes = self.pages(bucket, place, asked_for, version)
        if differences.shows_empty_directories(place.target):
            found_keys = [key for key in found_keys if not key.endswith("/")]
            found_prefixes = [name for name in found_prefixes if self.found(place, name)]
        assert found_keys == wanted_keys, (found_keys, wanted_keys, place, asked_for)
        assert found_prefixes == wanted_prefixes, (wanted_prefixes, place, asked_for)
        self.step("")

    def expected_list(
        self, place: Place, prefix: str, delimiter: str, after: str
    ) -> tuple[list[str], list[str]]:
        found, grouped = [], []
        for key in sorted(self.found(place, prefix)):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            if at >= 0:
                group = key[: at + len(delimiter)]
                if group > after and not after.startswith(group) and group not in grouped:
                    grouped.append(group)
            elif key > after:
                found.append(key)
        return found, grouped

    def pages(
        self, bucket: str, place: Place, asked_for: dict[str, Any], version: int
    ) -> tuple[list[str], list[str]]:
        """All pages of a list, by the means of its version."""
        found: list[str] = []
        grouped: list[str] = []
        while True:
            name = "list_objects_v2" if version == 2 else "list_objects"
            code, answer = self.ask(name, bucket, **asked_for)
            assert code == "", (code, asked_for, self.layout)
            page = [row["Key"] for row in answer.get("Contents", ())]
            groups = [row["Prefix"] for row in answer.get("CommonPrefixes", ())]
            assert len(page) + len(groups) <= asked_for["MaxKeys"]
            if place.key_prefix:  # otherwise it is the store's, and moto escapes it at times
                # botocore leaves it escaped in version 1.
                shown = answer["Prefix"]
                assert asked_for["Prefix"] == (unquote_plus(shown) if version == 1 else shown)
            assert answer["Name"] == self.world.full(bucket)
            found += page
            grouped += groups
            if not answer["IsTruncated"]:
                return found, grouped
            assert page or groups
            if version == 2:
                asked_for = {**asked_for, "ContinuationToken": answer["NextContinuationToken"]}
                asked_for.pop("StartAfter", None)
            else:
                last = answer.get("NextMarker") or max([*page, *groups])
                asked_for = {**asked_for, "Marker": last}

    # Uploads in parts

    @rule(bucket=buckets, key=keys, body=bodies, about=abouts)
    def begin_and_send(self, bucket: str, key: str, body: bytes, about: About) -> None:
        upload = self.begin(bucket, key, about)
        if upload is not None:
            self.send(upload, 2, body)

    def begin(self, bucket: str, key: str, about: About) -> Upload | None:
        """Begin an upload; None: there is none, as the model says."""
        place = self.layout.place(bucket, key, looks=False)
        if differences.of_key(place, key):
            return None
        about = about.without_tags
        code, answer = self.ask("create_multipart_upload", bucket, Key=key, **about.described)
        expected = refusal(place, key)
        assert code == (expected or ""), (code, expected, place)
        self.step(code)
        if expected:
            return None
        assert (answer["Bucket"], answer["Key"]) == (self.world.full(bucket), key)
        self.uploads.append(Upload(bucket, key, answer["UploadId"], place, about))
        return self.uploads[-1]

    def some_upload(self, data: st.DataObject) -> Upload:
        return self.uploads[data.draw(st.integers(0, len(self.uploads) - 1))]

    @in_progress
    @rule(data=st.data(), number=st.sampled_from([1, 2]), body=bodies)
    def send_part(self, data: st.DataObject, number: int, body: bytes) -> None:
        upload = self.some_upload(data)
        if differences.of_part(upload.place, was_sent=number in upload.parts):
            return
        self.send(upload, number, body)

    def send(self, upload: Upload, number: int, body: bytes) -> None:
        if upload.place.target in differences.SEAWEED and number == 1:
            body = (body + b"part").ljust(differences.MIN_PART, b".")
        code, answer = self.ask(
            "upload_part", upload.bucket, **upload.named, PartNumber=number, Body=body
        )
        assert code == "", (code, upload)
        upload.parts[number] = body
        upload.etags[number] = answer["ETag"]
        self.step(code)

    @in_progress
    @rule(data=st.data())
    def list_parts(self, data: st.DataObject) -> None:
        upload = self.some_upload(data)
        code, answer = self.ask("list_parts", upload.bucket, **upload.named)
        assert code == "", (code, upload)
        found = {row["PartNumber"]: row["Size"] for row in answer.get("Parts", ())}
        assert found == {number: len(body) for number, body in upload.parts.items()}
        named = [answer.get(name) for name in ("Bucket", "Key", "UploadId")]
        assert named == [self.world.full(upload.bucket), upload.key, upload.upload_id]
        self.step(code)

    @in_progress
    @rule(data=st.data(), key=keys, bucket=buckets)
    def use_a_foreign_id(self, data: st.DataObject, key: str, bucket: str) -> None:
        upload = self.some_upload(data)
        if (bucket, key) == (upload.bucket, upload.key):
            return
        code, _ = self.ask("list_parts", bucket, Key=key, UploadId=upload.upload_id)
        assert code == "NoSuchUpload", (code, bucket, key, upload)
        self.step(code)

    @in_progress
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        self.finish(self.some_upload(data))

    def finish(self, upload: Upload) -> None:
        numbers = sorted(upload.parts)
        parts = [{"PartNumber": number, "ETag": upload.etags[number]} for number in numbers]
        code, answer = self.ask(
            "complete_multipart_upload",
            upload.bucket,
            **upload.named,
            MultipartUpload={"Parts": parts},
        )
        assert code == "", (code, upload)
        assert (answer["Bucket"], answer["Key"]) == (self.world.full(upload.bucket), upload.key)
        body = b"".join(upload.parts[number] for number in numbers)
        self.keep(upload.place.at(upload.key), Stored(body, upload.about))
        self.uploads.remove(upload)
        self.step(code)

    @rule(bucket=buckets, key=keys, index=layouts, choice=choices, router=routers)
    def reload_within_an_upload(
        self, bucket: str, key: str, index: int, choice: int, router: int
    ) -> None:
        upload = self.begin(bucket, key, About())
        if upload is not None:
            self.send(upload, 2, b"before")
        self.layout = Layout(self.layout.with_choice(index, choice).choices, router)
        self.world.reload(self.layout)
        if upload is not None:
            self.send(upload, 1, b"after")
            self.finish(upload)

    @in_progress
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        self.give_up(self.some_upload(data))

    def give_up(self, upload: Upload) -> None:
        code, _ = self.ask("abort_multipart_upload", upload.bucket, **upload.named)
        assert code == "", (code, upload)
        self.uploads.remove(upload)
        self.step(code)

    @rule(bucket=buckets, prefix=prefixes)
    def list_uploads(self, bucket: str, prefix: str) -> None:
        place = self.layout.place_of_list(bucket, prefix)
        code, answer = self.ask("list_multipart_uploads", bucket, Prefix=prefix)
        if place is None or differences.of_uploads(place.target):
            assert code == "NotImplemented", (code, prefix, self.layout)
            self.step(code)
            return
        assert code == "", (code, prefix, self.layout)
        up = place.up(prefix)
        wanted = sorted(
            (place.down(upload.place.up(upload.key)), len(upload.parts))
            for upload in self.uploads
            if (upload.place.target, upload.place.bucket) == (place.target, place.bucket)
            and upload.place.up(upload.key).startswith(up)
        )
        rows = answer.get("Uploads", ())
        assert sorted(row["Key"] for row in rows) == [key for key, _ in wanted]
        counts = []
        for row in rows:  # each can be continued by the id that is listed
            named = {"Key": row["Key"], "UploadId": row["UploadId"]}
            code, parts = self.ask("list_parts", bucket, **named)
            assert code == "", (code, row)
            counts.append((row["Key"], len(parts.get("Parts", ()))))
        assert sorted(counts) == wanted
        self.step("")

    # The configuration

    @rule(index=layouts, choice=choices)
    def change_rules(self, index: int, choice: int) -> None:
        self.layout = self.layout.with_choice(index, choice)
        self.world.reload(self.layout)
        self.step("")

    @rule(router=routers)
    def change_router(self, router: int) -> None:
        self.layout = Layout(self.layout.choices, router)
        self.world.reload(self.layout)
        self.step("")

    # All that lies there

    def look(self) -> None:
        """What the stores hold is what the model says."""
        found = self.world.objects()
        assert sorted(set(found) - set(self.objects)) == []
        assert sorted(set(self.objects) - set(found)) == []
        for place, stored in self.objects.items():
            assert found[place].about == stored.about, place
            assert same(found[place].body, stored.body), place
        wanted = (upload.place.at(upload.key) for upload in self.uploads)
        assert Counter(self.world.uploads()) == Counter(wanted)

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:  # a step that has failed says more than what came of it
            self.look()

    def ask(self, operation: str, bucket: str, **arguments: Any) -> tuple[str, Any]:
        work = getattr(self.client, operation)
        return asked(work, Bucket=self.world.full(bucket), **arguments)
