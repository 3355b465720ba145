"""What an identity may do."""

from __future__ import annotations

from fastpath.routing.globs import compile_glob
from fastpath.routing.identities import OPEN_CALLER, Caller, Grant


def grant(*buckets: str, operations: tuple[str, ...] = ("GetObject",)) -> Grant:
    globs = tuple(compile_glob(bucket) for bucket in buckets)
    return Grant("*" in buckets, globs, frozenset(operations))


def caller(*grants: Grant) -> Caller:
    return Caller("ann", b"AKID", b"secret", grants=grants)


def test_no_list_allows_everything_and_an_empty_one_nothing() -> None:
    assert Caller("ann", b"AKID", b"secret").may("DeleteBucket", b"bucket")
    assert Caller("ann", b"AKID", b"secret").may("ListBuckets", b"")
    assert not caller().may("GetObject", b"bucket")


def test_a_grant_is_buckets_and_operations_together() -> None:
    ann = caller(
        grant("logs-*", operations=("GetObject",)), grant("tmp", operations=("PutObject",))
    )
    assert ann.may("GetObject", b"logs-1")
    assert ann.may("PutObject", b"tmp")
    assert not ann.may("PutObject", b"logs-1")
    assert not ann.may("GetObject", b"tmp")
    assert not ann.may("GetObject", b"LOGS-1")


def test_what_names_no_bucket_needs_a_grant_for_every_bucket() -> None:
    listing = ("ListBuckets",)
    assert caller(grant("*", operations=listing)).may("ListBuckets", b"")
    for pattern in ("**", "?*", "logs-*"):
        assert not caller(grant(pattern, operations=listing)).may("ListBuckets", b"")
    assert not caller(grant("*")).may("ListBuckets", b"")


def test_reaching_a_target() -> None:
    assert Caller("ann", b"", b"").reaches("any")
    ann = Caller("ann", b"", b"", targets=frozenset({"one"}))
    assert ann.reaches("one")
    assert not ann.reaches("two")
    assert not Caller("ann", b"", b"", targets=frozenset()).reaches("one")


def test_anybody_may_everything_and_has_no_name() -> None:
    assert OPEN_CALLER.may("DeleteBucket", b"bucket")
    assert OPEN_CALLER.reaches("any")
    assert OPEN_CALLER.name == ""


def test_no_secret_in_a_repr() -> None:
    assert repr(Caller("ann", b"AKID", b"hush")) == "<Caller 'ann'>"
