"""The table of target kinds."""

from __future__ import annotations

from fastpath.routing.profiles import LIST_FEATURES, PROFILES, with_overrides
from fastpath.s3.operations import OPERATIONS
from fastpath.signing.sigv4 import verify


def test_names_are_keys() -> None:
    assert {name: profile.name for name, profile in PROFILES.items()} == {
        name: name for name in ("s3", "generic", "seaweedfs", "lakefs")
    }


def test_only_what_refuses_bad_digests_with_s3s_error_is_trusted_with_them() -> None:
    assert {name for name, profile in PROFILES.items() if profile.verifies_digest} == {"s3"}


def test_operation_lists_hold_operations() -> None:
    for profile in PROFILES.values():
        assert profile.operations is None or profile.operations <= set(OPERATIONS)
        assert profile.lacks | set(profile.overlooks) <= set(OPERATIONS)
        assert profile.lists <= LIST_FEATURES
        assert profile.streaming <= verify.STREAMING_MODES


def test_lakefs_never_gets_what_it_would_take_for_something_else() -> None:
    operations = PROFILES["lakefs"].operations
    assert operations is not None
    assert "Unclassified" not in operations
    for name in ("PutObjectLegalHold", "PutObjectAcl", "PutBucketVersioning", "DeleteBucket"):
        assert name not in operations


def test_a_profile_refuses_what_is_not_on_its_list_and_what_the_target_mistakes() -> None:
    lakefs, seaweedfs = PROFILES["lakefs"], PROFILES["seaweedfs"]
    assert lakefs.refuses("PutObjectAcl")
    assert not lakefs.refuses("PutObject")
    assert seaweedfs.refuses("UpdateObjectEncryption")
    assert not seaweedfs.refuses("PutObjectAcl")
    assert not any(PROFILES[name].refuses("Unclassified") for name in ("s3", "generic"))


def test_overrides_are_read_from_json() -> None:
    base = PROFILES["lakefs"]
    assert with_overrides(base, {}) is base
    changed = with_overrides(
        base,
        {
            "verifies_md5": True,
            "streaming": ["STREAMING-UNSIGNED-PAYLOAD-TRAILER"],
            "operations": None,
            "lacks": ["PutObjectAcl"],
            "overlooks": {"DeleteObject": ["versionId"]},
            "lists": [],
        },
    )
    assert changed.verifies_md5
    assert changed.streaming == {b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    assert changed.operations is None
    assert changed.refuses("PutObjectAcl")
    assert not changed.refuses("PutBucketPolicy")
    assert changed.overlooks == {"DeleteObject": {b"versionId"}}
    assert changed.lists == frozenset()
    assert (changed.name, changed.mistakes_deletes) == ("lakefs", True)
