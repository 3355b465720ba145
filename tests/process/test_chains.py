"""Buckets on chains of targets, as an operator meets them: reads, writes, deletes and copies.

Rules: one gateway before three stores for all tests but those of identities, routers and lakeFS;
what a store was asked, and in which order, is looked at where it is the point. What any order of
requests does to a chain is played in `tests/property/chains`.
"""

from __future__ import annotations

import re
import socket
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.doubles import forms
from tests.doubles.chain_store import ChainStore, chain_store, refusal
from tests.doubles.lakefs import LakeFS
from tests.doubles.signing import RawClient
from tests.process.harness import Answer, Gateway

KEYS = {"access_key_id": "TARGETKEY", "secret_access_key": "target-secret"}
SORTED = {
    "profile": "generic",
    "profile_overrides": {"lists": ["sorted", "start-after"]},
    "health": "off",  # a check is a request, and one too many for these tests
    **KEYS,
}
BUCKETS = ("sized", "typed", "three", "hours", "moved", "lenient", "dead", "brave", "marked")
SMALL, LARGE = b"small", b"larger than ten bytes"
UNAVAILABLE = refusal(503, "SlowDown")
DENIED = refusal(403, "AccessDenied")
EVERY_FAILURE = ["404", "5xx", "timeout", "refused"]
RULES = [
    {"pattern": "sized", "target": "first", "conditions": {"max_size": 10}},
    {"pattern": "typed", "target": "first", "conditions": {"content_types": ["image/*"]}},
    {"pattern": "three", "target": "first", "conditions": {"max_size": 10}},
    {"pattern": "three", "target": "second", "conditions": {"content_types": ["text/plain"]}},
    {"pattern": "three", "target": "third"},
    {"pattern": "hours", "target": "first", "conditions": {"time_range": [0, 23]}},
    {"pattern": "moved", "target": "first", "fallback": ["second"]},
    {
        "pattern": "lenient",
        "target": "first",
        "fallback": ["second"],
        "fallback_on": EVERY_FAILURE,
    },
    {"pattern": "dead", "target": "gone", "fallback": ["second"]},
    {"pattern": "brave", "target": "gone", "fallback": ["second"], "fallback_on": EVERY_FAILURE},
    {"pattern": "marked", "target": "third", "conditions": {"max_size": 10}},
    {"pattern": "marked", "target": "second", "fallback": ["first"]},
]


class Stores(NamedTuple):
    first: ChainStore
    second: ChainStore
    third: ChainStore  # which leaves delete markers


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Gateway, Stores]]:
    with ExitStack() as stack:
        stores = Stores(
            stack.enter_context(chain_store(*BUCKETS)),
            stack.enter_context(chain_store(*BUCKETS)),
            stack.enter_context(chain_store(*BUCKETS, markers=True)),
        )
        yield stack.enter_context(Gateway.start(configuration(stores), 1)), stores


def configuration(stores: Stores) -> dict[str, Any]:
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    quick = {"connect_seconds": 2, "response_seconds": 1}
    targets: dict[str, dict[str, Any]] = {
        name: {**SORTED, "endpoint": store.endpoint} for name, store in stores._asdict().items()
    }
    targets["first"] |= {"profile": "s3", "region": "us-east-1", "timeouts": quick}
    del targets["first"]["profile_overrides"]
    targets["gone"] = {**SORTED, "endpoint": f"http://127.0.0.1:{port}"}
    return {
        "auth": {"mode": "open"},
        "targets": targets,
        "routing": {"default_target": "second", "rules": RULES},
    }


@pytest.fixture
def stores(running: tuple[Gateway, Stores]) -> Stores:
    for store in running[1]:
        store.reset()
    return running[1]


@pytest.fixture
def gateway(running: tuple[Gateway, Stores], stores: Stores) -> Gateway:
    return running[0]


def code(answer: Answer) -> str:
    return ET.fromstring(answer.body).findtext("Code") or ""


def put(
    gateway: Gateway, path: str, body: bytes, headers: Mapping[str, str] | None = None
) -> Answer:
    return gateway.request("PUT", path, body, headers)


# Reads


def test_a_read_looks_at_the_old_store_for_what_the_new_one_lacks(
    gateway: Gateway, stores: Stores
) -> None:
    stores.second.holds("moved", "k", LARGE, "image/png")
    whole = gateway.request("GET", "/moved/k")
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, LARGE, "image/png")
    assert (stores.first.asked(), stores.second.asked()) == (["GET /moved/k"], ["GET /moved/k"])
    head = gateway.request("HEAD", "/moved/k")
    assert (head.status, head.headers["content-length"]) == (200, str(len(LARGE)))
    part = gateway.request("GET", "/moved/k", headers={"range": "bytes=2-4"})
    assert (part.status, part.body) == (206, LARGE[2:5])
    etag = {"if-none-match": whole.headers["etag"]}
    assert gateway.request("GET", "/moved/k", headers=etag).status == 304
    beyond = gateway.request("GET", "/moved/k", headers={"range": "bytes=99-"})
    assert (beyond.status, code(beyond)) == (416, "InvalidRange")
    tags = gateway.request("GET", "/moved/k?tagging")
    assert (tags.status, b"<TagSet>" in tags.body) == (200, True)


def test_a_read_ends_where_the_new_store_has_the_object(gateway: Gateway, stores: Stores) -> None:
    stores.first.holds("moved", "k", SMALL)
    stores.second.holds("moved", "k", LARGE)
    assert gateway.request("GET", "/moved/k").body == SMALL
    assert stores.second.asked() == []


def test_a_key_that_is_nowhere_is_looked_for_twice(gateway: Gateway, stores: Stores) -> None:
    answer = gateway.request("GET", "/moved/no/such%20key")
    assert (answer.status, code(answer)) == (404, "NoSuchKey")
    assert stores.first.asked() == stores.second.asked() == ["GET /moved/no/such%20key"] * 2


def test_a_key_that_is_moved_between_two_looks_is_found(gateway: Gateway, stores: Stores) -> None:
    stores.first.holds("sized", "k", SMALL)

    def moves() -> None:  # a write of a small object, while the read has asked for it once
        del stores.first.sorted.buckets["sized"][b"k"]

    def arrives() -> None:
        stores.first.holds("sized", "k", SMALL)

    stores.first.before[b"GET"] = moves
    stores.second.before[b"GET"] = arrives
    assert gateway.request("GET", "/sized/k").body == SMALL


@pytest.mark.parametrize(
    ("said", "expected"), [(DENIED, (403, "AccessDenied")), (UNAVAILABLE, (503, "SlowDown"))]
)
def test_what_is_no_absence_ends_a_read(
    gateway: Gateway, stores: Stores, said: bytes, expected: tuple[int, str]
) -> None:
    stores.second.holds("moved", "k", LARGE)
    stores.first.answers[b"GET"] = said
    answer = gateway.request("GET", "/moved/k")
    assert (answer.status, code(answer)) == expected
    assert stores.second.asked() == []


def test_a_target_that_is_gone_ends_a_read_unless_the_rule_says_otherwise(
    gateway: Gateway, stores: Stores
) -> None:
    for bucket in ("dead", "brave"):
        stores.second.holds(bucket, "k", LARGE)
    refused = gateway.request("GET", "/dead/k")
    assert (refused.status, code(refused)) == (503, "ServiceUnavailable")
    assert gateway.request("GET", "/brave/k").body == LARGE
    unknown = gateway.request("GET", "/brave/missing")
    assert (unknown.status, unknown.headers["retry-after"]) == (503, "1")


def test_a_rule_may_pass_5xx_and_silence_but_calls_nothing_absent(
    gateway: Gateway, stores: Stores
) -> None:
    stores.second.holds("lenient", "k", LARGE)
    stores.first.answers[b"GET"] = refusal(500, "InternalError")
    assert gateway.request("GET", "/lenient/k").body == LARGE
    assert gateway.request("GET", "/lenient/missing").status == 503
    stores.first.answers.clear()
    stores.first.silence = threading.Event()
    try:
        assert gateway.request("GET", "/lenient/k").body == LARGE
    finally:
        stores.first.silence.set()


def test_a_bucket_is_there_if_one_target_has_it(gateway: Gateway, stores: Stores) -> None:
    taken = stores.first.sorted.buckets.pop("moved")
    try:
        assert gateway.request("HEAD", "/moved").status == 200
        assert gateway.request("GET", "/moved?location").status == 200
        stores.second.holds("moved", "k", LARGE)
        assert gateway.request("GET", "/moved/k").body == LARGE
        assert code(gateway.request("GET", "/moved/missing")) == "NoSuchKey"
    finally:
        stores.first.sorted.buckets["moved"] = taken


# Writes by conditions


def test_a_write_goes_by_its_size_and_uncovers_what_it_stored(
    gateway: Gateway, stores: Stores
) -> None:
    assert put(gateway, "/sized/k", SMALL).status == 200
    assert (stores.first.asked(), stores.second.asked()) == (["PUT /sized/k"], [])
    assert put(gateway, "/sized/k", LARGE).status == 200
    assert stores.first.asked() == ["HEAD /sized/k", "DELETE /sized/k"]
    assert stores.second.asked() == ["PUT /sized/k"]
    assert gateway.request("GET", "/sized/k").body == LARGE
    stores.first.asked()
    assert put(gateway, "/sized/k", LARGE).status == 200  # nothing hides it now
    assert stores.first.asked() == ["HEAD /sized/k"]


def test_a_write_goes_by_its_type_and_hour(gateway: Gateway, stores: Stores) -> None:
    put(gateway, "/typed/k", SMALL, {"content-type": "Image/PNG; q=1"})
    assert stores.first.held("typed", "k") == SMALL
    put(gateway, "/typed/other", SMALL, {"content-type": "text/plain"})
    assert stores.second.held("typed", "other") == SMALL
    put(gateway, "/hours/k", SMALL)
    assert stores.first.held("hours", "k") == SMALL


def test_the_size_of_a_streaming_upload_is_that_of_the_object(
    gateway: Gateway, stores: Stores
) -> None:
    framed = b"5\r\nsmall\r\n0\r\n\r\n"
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "5",
    }
    assert put(gateway, "/sized/k", framed, headers).status == 200
    assert (stores.first.asked(), stores.second.asked()) == (["PUT /sized/k"], [])


def test_an_old_object_that_cannot_be_removed_fails_the_write(
    gateway: Gateway, stores: Stores
) -> None:
    stores.first.holds("sized", "k", SMALL)
    stores.first.answers[b"DELETE"] = DENIED
    answer = put(gateway, "/sized/k", LARGE)
    assert (answer.status, code(answer)) == (503, "ServiceUnavailable")
    assert answer.headers["retry-after"] == "1"
    gateway.wait_for_log(r"an older object hides a new one, and cannot be removed")
    assert gateway.request("GET", "/sized/k").body == SMALL
    stores.first.answers.clear()
    assert put(gateway, "/sized/k", LARGE).status == 200
    assert gateway.request("GET", "/sized/k").body == LARGE


@pytest.mark.parametrize(("said", "status"), [(UNAVAILABLE, 503), (DENIED, 403)])
def test_a_target_that_may_have_an_older_object_ends_the_write_before_it_is_done(
    gateway: Gateway, stores: Stores, said: bytes, status: int
) -> None:
    stores.first.answers[b"HEAD"] = said
    assert put(gateway, "/sized/k", LARGE).status == status
    assert stores.second.asked() == []


def test_what_others_stored_since_the_write_began_stays(gateway: Gateway, stores: Stores) -> None:
    """The other write may be acknowledged already: this one, which overlaps, comes before it."""
    for bucket, place in (("sized", stores.first), ("marked", stores.third)):
        for first in (b"old", None):  # the second store does not say whether it compares ETags

            def newer(bucket: str = bucket, place: ChainStore = place) -> None:
                place.holds(bucket, "k", b"newer")

            place.reset()
            if first is not None:
                place.holds(bucket, "k", first)
            stores.second.before[b"PUT"] = newer
            assert put(gateway, f"/{bucket}/k", LARGE).status == 200
            assert gateway.request("GET", f"/{bucket}/k").body == b"newer"


def test_the_last_of_two_older_objects_is_removed_first(gateway: Gateway, stores: Stores) -> None:
    stores.first.holds("three", "k", b"old")
    stores.second.holds("three", "k", b"older")
    stores.first.answers[b"DELETE"] = UNAVAILABLE
    image = {"content-type": "image/png"}
    assert put(gateway, "/three/k", LARGE, image).status == 503
    assert gateway.request("GET", "/three/k").body == b"old"
    assert stores.second.held("three", "k") is None
    stores.first.answers.clear()
    assert put(gateway, "/three/k", LARGE, image).status == 200
    assert gateway.request("GET", "/three/k").body == LARGE


def test_a_delete_marker_of_a_candidate_hides_nothing_behind(
    gateway: Gateway, stores: Stores
) -> None:
    """The write behind has removed what was there; only the last candidate's marker is the end."""
    put(gateway, "/marked/k", SMALL)
    assert put(gateway, "/marked/k", LARGE).status == 200
    assert gateway.request("GET", "/marked/k").body == LARGE
    assert gateway.request("DELETE", "/marked/k").status == 204
    assert gateway.request("GET", "/marked/k").status == 404


def test_a_delete_marker_of_a_candidate_hides_what_fallbacks_have(
    gateway: Gateway, stores: Stores
) -> None:
    put(gateway, "/marked/k", SMALL)
    stores.first.holds("marked", "k", b"of the old store")
    stores.third.deletes("marked", "k")
    assert gateway.request("GET", "/marked/k").status == 404


def test_an_upload_in_parts_counts_as_large_and_uncovers_its_object(
    gateway: Gateway, stores: Stores
) -> None:
    stores.first.holds("sized", "k", SMALL)
    begun = gateway.request("POST", "/sized/k?uploads")
    found = re.search(rb"<UploadId>([^<]+)</UploadId>", begun.body)
    assert found is not None
    named = f"/sized/k?uploadId={found[1].decode()}"
    etag = put(gateway, f"{named}&partNumber=1", LARGE).headers["etag"]
    assert gateway.request("GET", "/sized/k").body == SMALL
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    done = gateway.request("POST", named, document)
    assert (done.status, b"<ETag>" in done.body) == (200, True)
    assert gateway.request("GET", "/sized/k").body == LARGE


def test_a_browsers_form_goes_by_the_size_that_nobody_says(
    gateway: Gateway, stores: Stores
) -> None:
    stores.first.holds("sized", "k", SMALL)
    raw = forms.request(forms.body({"key": "k"}, SMALL)).replace(b"/b-b", b"/sized")
    with socket.create_connection(gateway.address, timeout=20) as client:
        client.sendall(raw)
        assert client.recv(65536).startswith(b"HTTP/1.1 204 ")
    assert gateway.request("GET", "/sized/k").body == SMALL
    assert sum(store.held("sized", "k") is not None for store in stores) == 1


# Copies


def copy(gateway: Gateway, source: str, to: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return put(gateway, to, b"", {"x-amz-copy-source": source, **named})


def test_a_copy_goes_by_what_its_source_is(gateway: Gateway, stores: Stores) -> None:
    stores.second.holds("moved", "large", LARGE)
    stores.second.holds("moved", "small", SMALL, "image/png")
    assert copy(gateway, "/moved/small", "/sized/k").status == 200
    assert stores.first.held("sized", "k") == SMALL
    assert copy(gateway, "/moved/large", "/sized/k").status == 200
    assert gateway.request("GET", "/sized/k").body == LARGE
    assert copy(gateway, "/moved/small", "/typed/k").status == 200
    assert stores.first.held("typed", "k") == SMALL
    replaced = {"x_amz_metadata_directive": "REPLACE", "content_type": "text/plain"}
    assert copy(gateway, "/moved/small", "/typed/k", **replaced).status == 200
    assert gateway.request("GET", "/typed/k").headers["content-type"] == "text/plain"
    assert stores.first.held("typed", "k") is None


def test_a_copy_between_targets_uncovers_its_object_or_fails(
    gateway: Gateway, stores: Stores
) -> None:
    stores.first.holds("moved", "source", LARGE)
    stores.first.holds("sized", "k", SMALL)
    stores.first.answers[b"DELETE"] = UNAVAILABLE
    failed = copy(gateway, "/moved/source", "/sized/k")
    assert (failed.status, code(failed)) == (503, "ServiceUnavailable")
    stores.first.answers.clear()
    assert copy(gateway, "/moved/source", "/sized/k").status == 200
    assert gateway.request("GET", "/sized/k").body == LARGE


def test_a_source_that_may_be_elsewhere_is_not_called_absent(
    gateway: Gateway, stores: Stores
) -> None:
    """F6: the first place fails once, and then says that it has none; the second has it."""
    stores.second.holds("moved", "source", LARGE)
    stores.first.answers[b"HEAD"] = UNAVAILABLE
    failed = copy(gateway, "/moved/source", "/hours/k")
    assert (failed.status, code(failed)) == (503, "ServiceUnavailable")
    stores.first.answers.clear()
    absent = copy(gateway, "/moved/missing", "/hours/k")
    assert (absent.status, code(absent)) == (404, "NoSuchKey")


def test_a_part_is_copied_from_the_old_store(gateway: Gateway, stores: Stores) -> None:
    stores.second.holds("moved", "source", LARGE)
    begun = gateway.request("POST", "/hours/k?uploads")
    found = re.search(rb"<UploadId>([^<]+)</UploadId>", begun.body)
    assert found is not None
    to = f"/hours/k?uploadId={found[1].decode()}&partNumber=1"
    copied = copy(gateway, "/moved/source", to, x_amz_copy_source_range="bytes=0-4")
    assert (copied.status, b"<ETag>" in copied.body) == (200, True)
    gateway.request("DELETE", to.partition("&")[0])


# What is set on an object


TAGS = b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"


def test_tags_are_set_where_the_object_is(gateway: Gateway, stores: Stores) -> None:
    stores.second.holds("moved", "k", LARGE)
    assert put(gateway, "/moved/k?tagging", TAGS).status == 200
    assert b"<Value>v</Value>" in gateway.request("GET", "/moved/k?tagging").body
    assert code(put(gateway, "/moved/missing?tagging", TAGS)) == "NoSuchKey"


def test_tags_of_an_object_that_may_be_elsewhere_are_not_set(
    gateway: Gateway, stores: Stores
) -> None:
    """F3: neither after a failure, nor at the place that `fallback_on` would lead a read to."""
    for bucket in ("moved", "lenient"):
        stores.second.holds(bucket, "k", LARGE)
        stores.first.answers[b"HEAD"] = UNAVAILABLE
        assert put(gateway, f"/{bucket}/k?tagging", TAGS).status == 503


def test_an_object_that_moves_before_its_tags_are_set_is_not_called_absent(
    gateway: Gateway, stores: Stores
) -> None:
    """F4"""
    stores.first.holds("sized", "k", SMALL)
    stores.first.before[b"PUT"] = stores.first.sorted.buckets["sized"].clear
    answer = put(gateway, "/sized/k?tagging", TAGS)
    assert (answer.status, code(answer)) == (503, "ServiceUnavailable")


# Conditional writes


def test_if_none_match_is_about_the_old_store_too(gateway: Gateway, stores: Stores) -> None:
    stores.second.holds("moved", "k", LARGE)
    new = {"if-none-match": "*"}
    refused = put(gateway, "/moved/k", SMALL, new)
    assert (refused.status, code(refused)) == (412, "PreconditionFailed")
    assert put(gateway, "/moved/other", SMALL, new).status == 200
    assert put(gateway, "/moved/other", SMALL, new).status == 412


def test_if_match_is_about_the_old_store_too(gateway: Gateway, stores: Stores) -> None:
    stores.second.holds("moved", "k", LARGE)
    etag = gateway.request("HEAD", "/moved/k").headers["etag"]
    assert put(gateway, "/moved/k", SMALL, {"if-match": '"other"'}).status == 412
    stores.first.asked()
    assert put(gateway, "/moved/k", SMALL, {"if-match": etag}).status == 200
    sent = stores.first.last()
    assert (sent.method, sent.value(b"if-none-match"), sent.value(b"if-match")) == (
        b"PUT",
        b"*",
        None,
    )
    assert gateway.request("GET", "/moved/k").body == SMALL
    assert put(gateway, "/moved/k", SMALL, {"if-match": etag}).status == 412


def test_a_condition_is_not_judged_past_a_place_that_fails(
    gateway: Gateway, stores: Stores
) -> None:
    """F8: neither a place that denies its answer nor one that fails says that nothing is there."""
    for place in (stores.first, stores.second):
        for said, status in ((DENIED, 403), (UNAVAILABLE, 503)):
            place.answers[b"HEAD"] = said
            assert put(gateway, "/lenient/k", SMALL, {"if-none-match": "*"}).status == status
        place.answers.clear()
    assert stores.first.held("lenient", "k") is None


@pytest.mark.parametrize("condition", ["if-match", "if-none-match"])
def test_several_candidates_take_no_condition(
    gateway: Gateway, stores: Stores, condition: str
) -> None:
    answer = put(gateway, "/sized/k", SMALL, {condition: "*"})
    assert (answer.status, code(answer)) == (501, "NotImplemented")
    assert not any(store.asked() for store in stores)


# Deletes


def test_a_delete_goes_from_the_end_and_brings_nothing_back(
    gateway: Gateway, stores: Stores
) -> None:
    stores.first.holds("moved", "k", SMALL)
    stores.second.holds("moved", "k", LARGE)
    stores.second.answers[b"DELETE"] = UNAVAILABLE
    failed = gateway.request("DELETE", "/moved/k")
    assert (failed.status, code(failed)) == (503, "SlowDown")
    assert gateway.request("GET", "/moved/k").body == SMALL
    stores.second.answers.clear()
    assert gateway.request("DELETE", "/moved/k").status == 204
    assert gateway.request("GET", "/moved/k").status == 404


def test_a_delete_that_a_target_denies_is_denied(gateway: Gateway, stores: Stores) -> None:
    stores.second.holds("moved", "k", LARGE)
    stores.second.answers[b"DELETE"] = DENIED
    denied = gateway.request("DELETE", "/moved/k")
    assert (denied.status, code(denied)) == (403, "AccessDenied")
    assert [one for one in stores.first.asked() if one.startswith("DELETE")] == []


def test_a_delete_meets_what_was_written_behind_it(gateway: Gateway, stores: Stores) -> None:
    """N4: two writes that overlap the delete, the first of them where it has been."""

    def writes() -> None:
        stores.second.holds("sized", "k", LARGE)
        stores.first.holds("sized", "k", SMALL)

    stores.first.before[b"DELETE"] = writes
    assert gateway.request("DELETE", "/sized/k").status == 204
    assert gateway.request("GET", "/sized/k").status == 404
    stores.first.before[b"POST"] = writes
    batch = b"<Delete><Object><Key>k</Key></Object></Delete>"
    assert gateway.request("POST", "/sized?delete", batch).status == 200
    assert gateway.request("GET", "/sized/k").status == 404


def test_a_batch_is_deleted_from_the_end_key_by_key(gateway: Gateway, stores: Stores) -> None:
    stores.first.holds("moved", "k", SMALL)
    stores.second.holds("moved", "k", LARGE)
    batch = b"<Delete><Object><Key>k</Key></Object><Object><Key>other</Key></Object></Delete>"
    stores.second.answers[b"POST"] = UNAVAILABLE
    failed = gateway.request("POST", "/moved?delete", batch)
    assert (failed.status, failed.body.count(b"<Error>")) == (200, 2)
    assert gateway.request("GET", "/moved/k").body == SMALL
    stores.second.answers.clear()
    done = gateway.request("POST", "/moved?delete", batch)
    assert (done.status, done.body.count(b"<Deleted>")) == (200, 2)
    assert gateway.request("GET", "/moved/k").status == 404


def test_conditional_deletes_are_not_for_several_targets(gateway: Gateway, stores: Stores) -> None:
    answer = gateway.request("DELETE", "/moved/k", headers={"if-match": '"e"'})
    assert (answer.status, code(answer)) == (501, "NotImplemented")
    batch = b"<Delete><Object><Key>k</Key><ETag>e</ETag></Object></Delete>"
    rows = gateway.request("POST", "/moved?delete", batch).body
    assert b"<Code>NotImplemented</Code>" in rows
    assert not any(store.asked() for store in stores)


# Versions and the bucket itself


def test_versions_and_settings_are_the_primarys(gateway: Gateway, stores: Stores) -> None:
    for path in ("/moved/k?versionId=v", "/moved?versions", "/moved?policy", "/moved?uploads"):
        gateway.request("GET", path)
        asked = stores.first.asked()
        assert (asked[0].partition("=")[0], len(asked)) == (f"GET {path.partition('=')[0]}", 1), (
            asked
        )
        assert stores.second.asked() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/sized/k?versionId=v"),
        ("GET", "/sized?versions"),
        ("GET", "/sized?policy"),
        ("PUT", "/sized"),
        ("DELETE", "/sized"),
    ],
)
def test_several_candidates_have_neither_versions_nor_settings(
    gateway: Gateway, stores: Stores, method: str, path: str
) -> None:
    answer = gateway.request(method, path)
    assert (answer.status, code(answer)) == (501, "NotImplemented")
    assert not any(store.asked() for store in stores)


# Identities, names, routers


def test_an_identity_must_reach_every_target_that_its_request_comes_to(stores: Stores) -> None:
    """Without identities, a target's key pair reaches the targets that it belongs to."""
    config = configuration(stores)
    del config["auth"]
    config["targets"]["first"] |= {"access_key_id": "FIRSTKEY", "secret_access_key": "first-secret"}
    with Gateway.start(config, 1, listen=("0.0.0.0:0",)) as gateway:
        client = RawClient("127.0.0.1", gateway.address[1], "FIRSTKEY", "first-secret")
        stores.first.holds("moved", "k", SMALL)
        assert client.send("GET", b"/moved/k") == (200, SMALL)
        assert client.send("GET", b"/moved/missing")[0] == 403
        assert client.send("PUT", b"/moved/k", LARGE)[0] == 200
        assert client.send("PUT", b"/sized/k", LARGE)[0] == 403
        assert client.send("DELETE", b"/moved/k")[0] == 403
        assert stores.first.held("moved", "k") == LARGE


def test_the_old_store_behind_lakefs_has_the_clients_names(stores: Stores) -> None:
    with LakeFS() as lakefs:
        lakefs.add_repository("repo")
        ((key_id, secret),) = lakefs.keys.items()
        config = configuration(stores)
        config["lakefs"] = {
            "endpoint": lakefs.endpoint,
            "access_key_id": key_id,
            "secret_access_key": secret,
        }
        rewrite = {"bucket": "repo", "key_prefix": "main/"}
        rule = {"pattern": "moved", "target": "lakefs", "rewrite": rewrite, "fallback": ["second"]}
        config["routing"] = {"default_target": "second", "rules": [rule]}
        with Gateway.start(config, 1) as gateway:
            stores.second.holds("moved", "k", LARGE)
            assert gateway.request("GET", "/moved/k").body == LARGE
            assert put(gateway, "/moved/k", SMALL).status == 200
            assert gateway.request("GET", "/moved/k").body == SMALL
            missing = gateway.request("GET", "/moved/missing")
            assert (code(missing), b"repo" in missing.body) == ("NoSuchKey", False)
            assert gateway.request("DELETE", "/moved/k").status == 204
            assert stores.second.held("moved", "k") is None
            assert gateway.request("GET", "/moved/k").status == 404


ROUTER = """
class Router:
    def __init__(self, config):
        pass

    def route_request(self, bucket_name, operation, metadata):
        if bucket_name == "moved":
            return ["first", "second"]
        return "second" if metadata.get("content_length", 0) > 10 else "first"
"""


@pytest.mark.parametrize("reads", [None, ["first", "second"]], ids=["answers", "custom_reads"])
def test_a_custom_router_has_chains_too(
    stores: Stores, tmp_path: Path, reads: list[str] | None
) -> None:
    (tmp_path / "chain_router.py").write_text(ROUTER)
    config = configuration(stores)
    config["routing"] = {
        "custom": "chain_router:Router",
        "custom_path": str(tmp_path),
        "default_target": "second",
        **({"custom_reads": reads} if reads else {}),
    }
    with Gateway.start(config, 1) as gateway:
        stores.second.holds("moved", "old", LARGE)
        assert gateway.request("GET", "/moved/old").body == LARGE
        assert gateway.request("DELETE", "/moved/old").status == 204
        assert stores.second.held("moved", "old") is None
        if reads:
            put(gateway, "/sized/k", SMALL)
            assert put(gateway, "/sized/k", LARGE).status == 200
            assert gateway.request("GET", "/sized/k").body == LARGE
            assert stores.first.held("sized", "k") is None
