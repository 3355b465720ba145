"""What a probe makes of its findings, and that it tries the operations it says."""

from __future__ import annotations

import pytest

from fastpath.http.query import parse_query
from fastpath.routing.profiles import PROFILES, with_overrides
from fastpath.s3.addressing import Address
from fastpath.s3.operations import OPERATIONS, classify
from gateway.config.capabilities import capabilities
from gateway.probe.findings import Findings
from gateway.probe.subresources import BUCKET_ROWS, OBJECT_ROWS

OBJECT = Address(b"bucket", b"key", True, b"/bucket/key")
BUCKET = Address(b"bucket", b"", True, b"/bucket")


@pytest.mark.parametrize(
    ("row", "address"),
    [(row, OBJECT) for row in OBJECT_ROWS] + [(row, BUCKET) for row in BUCKET_ROWS],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_row_is_the_operation_it_is_called(row: tuple[str, str, str], address: Address) -> None:
    name, method, query = row
    assert classify(method.encode(), address, parse_query(query.encode()), {}).name == name


def test_every_setting_of_a_bucket_is_tried() -> None:
    tried = {name for name, _, _ in BUCKET_ROWS}
    settings = {
        name
        for name, operation in OPERATIONS.items()
        if operation.action == "admin" and operation.name == name and operation.method != "POST"
    }
    kept = {"CreateBucket", "DeleteBucket", "CreateSession", "Unclassified"}
    objects = {name for name, _, _ in OBJECT_ROWS}
    assert settings - tried - kept - objects == set()


def findings(**flags: bool) -> Findings:
    made = Findings(say=lambda _: None)
    for name, value in flags.items():
        made.flag(name, value, "")
    return made


@pytest.mark.parametrize("name", PROFILES)
def test_findings_like_a_profile_lead_to_it_without_overrides(name: str) -> None:
    wanted = PROFILES[name]
    made = Findings(say=lambda _: None)
    for flag in ("verifies_digest", "verifies_md5", "verifies_checksums", "verifies_documents"):
        made.flag(flag, getattr(wanted, flag), "")
    made.flag("mistakes_deletes", wanted.mistakes_deletes, "")
    for word in PROFILES["s3"].lists:
        made.word("lists", word, word in wanted.lists, "")
    for operation, _, _ in OBJECT_ROWS:
        made.lack(operation, wanted.refuses(operation), "")
    assert made.nearest() == (wanted, {})


def test_overrides_make_the_nearest_profile_the_one_that_was_found() -> None:
    made = findings(verifies_digest=True, verifies_md5=True, verifies_checksums=True)
    made.word("streaming", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", True, "")
    made.word("streaming", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", False, "")
    made.word("streaming", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", False, "")
    made.lack("GetObjectTorrent", False, "")
    made.lack("GetObjectAcl", True, "")
    made.overlook("PutObject", "x-amz-write-offset-bytes", False, "")
    made.overlook("CopyObject", "if-match", True, "")
    profile = PROFILES["seaweedfs"]
    applied = made.applied(profile)
    changed = with_overrides(profile, applied)
    assert capabilities(changed) == applied
    assert changed.verifies_digest
    assert changed.streaming == {b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
    assert changed.lacks == profile.lacks - {"GetObjectTorrent"} | {"GetObjectAcl"}
    assert changed.overlooks == {
        "CopyObject": {b"if-match"},
        "DeleteObject": profile.overlooks["DeleteObject"],
    }


def test_what_was_not_tried_stays_as_the_profile_has_it() -> None:
    for profile in PROFILES.values():
        assert findings().applied(profile) == capabilities(profile)


def test_what_a_profile_refuses_anyway_is_no_override() -> None:
    made = findings()
    made.lack("PutObjectLegalHold", True, "")
    made.overlook("RenameObject", "if-match", True, "")
    assert made.applied(PROFILES["lakefs"]) == capabilities(PROFILES["lakefs"])


def test_what_the_translation_judges_is_not_told_as_overlooked() -> None:
    """C7: an override would refuse what is judged here."""
    made = Findings(say=lambda _: None)
    for operation in ("CopyObject", "UploadPartCopy"):
        made.overlook(operation, "x-amz-copy-source-if-match", True, "")
    assert (
        made.applied(PROFILES["lakefs"])["overlooks"]
        == (capabilities(PROFILES["lakefs"])["overlooks"])
    )
    assert "CopyObject" in made.applied(PROFILES["generic"])["overlooks"]
