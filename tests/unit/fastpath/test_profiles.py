"""The table of target kinds."""

from __future__ import annotations

from fastpath.operations import OPERATIONS
from fastpath.profiles import PROFILES


def test_names_are_keys() -> None:
    assert {name: profile.name for name, profile in PROFILES.items()} == {
        name: name for name in ("s3", "generic", "lakefs")
    }


def test_only_what_refuses_bad_digests_with_s3s_error_is_trusted_with_them() -> None:
    assert {name for name, profile in PROFILES.items() if profile.verifies_digest} == {"s3"}


def test_operation_lists_hold_operations() -> None:
    for profile in PROFILES.values():
        assert profile.operations is None or profile.operations <= set(OPERATIONS)


def test_lakefs_never_gets_what_it_would_take_for_something_else() -> None:
    operations = PROFILES["lakefs"].operations
    assert operations is not None
    assert "Unclassified" not in operations
    for name in ("PutObjectLegalHold", "PutObjectAcl", "PutBucketVersioning", "CreateBucket"):
        assert name not in operations
