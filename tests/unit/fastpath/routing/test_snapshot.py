"""Control's document, compiled."""

from __future__ import annotations

from typing import Any

import pytest

from fastpath.limits import Limits
from fastpath.routing.identities import OPEN_CALLER
from fastpath.routing.sealed_ids import UploadOrigin
from fastpath.routing.snapshot import Snapshot, load_snapshot
from tests.doubles.rules import asked
from tests.doubles.wire import document


def load(**changes: Any) -> Snapshot:
    return load_snapshot(7, document(**changes))


def test_the_parts_arrive() -> None:
    snapshot = load(mode="sigv4", domains=["S3.Example.com"], limits={"connections": 5})
    assert snapshot.generation == 7
    assert snapshot.instance == b"rig"
    assert snapshot.domains == (b"s3.example.com",)
    assert snapshot.open_caller is None
    assert snapshot.limits == Limits(connections=5)
    assert set(snapshot.targets) == {"first", "generic"}
    assert list(snapshot.callers) == [b"AKIDCLIENT"]
    target = snapshot.targets["generic"]
    assert (target.profile.name, target.authority) == ("generic", b"generic.test:9000")
    assert (target.route.host, target.route.port) == ("generic.test", 9000)
    assert snapshot.routing.plan(b"g-x").decide(asked(b"g-x")).target == "generic"
    assert snapshot.routing.default.target == "first"


def test_open_mode() -> None:
    everybody = load(mode="open").open_caller
    assert everybody is not None
    assert (everybody.name, everybody.sees_decisions) == ("", False)
    seeing = load(mode="open", show_decisions=True).open_caller
    assert seeing is not None
    assert seeing.sees_decisions


def test_routes_share_a_key_only_if_connections_are_alike() -> None:
    before = load().targets
    assert before["first"].route.key != before["generic"].route.key
    assert load(profile="lakefs").targets["first"].route.key == before["first"].route.key
    for change in ({"pool": {"max_connections": 3}}, {"timeouts": {"idle_seconds": 3}}):
        assert load(**change).targets["first"].route.key != before["first"].route.key


def test_tls_settings_are_part_of_a_route() -> None:
    changed = document()
    tls = {"verify": True, "ca_pem": None, "cert_pem": None, "key_pem": "hush", "server_name": "x"}
    changed["targets"][0]["tls"] = tls
    route = load_snapshot(1, changed).targets["first"].route
    assert route.tls is not None
    assert route.key != load().targets["first"].route.key
    assert "hush" not in repr(route)


def test_a_caller_has_credentials_of_its_own_or_the_targets() -> None:
    entry = document(mode="sigv4")["identities"][0]
    mine = {**entry, "credentials": {"first": "mine", "gone": "mine"}}
    keys = {"access_key_id": "A", "secret_access_key": "S", "token": "T"}
    credentials = {**document()["credentials"], "mine": keys}
    snapshot = load(identities=[mine], credentials=credentials)
    caller = snapshot.callers[b"AKIDCLIENT"]
    first, generic = snapshot.targets["first"], snapshot.targets["generic"]
    assert snapshot.signer(first, caller) is caller.signers["first"]
    assert snapshot.signer(first, caller) is not first.signer
    assert snapshot.signer(generic, caller) is generic.signer
    assert snapshot.signer(first, OPEN_CALLER) is first.signer


def test_credentials_of_its_own_that_are_not_there_are_not_the_targets() -> None:
    entry = {**document()["identities"][0], "credentials": {"first": "lost"}}
    snapshot = load(identities=[entry])
    caller = snapshot.callers[b"AKIDCLIENT"]
    assert snapshot.signer(snapshot.targets["first"], caller) is None


def test_a_target_without_credentials_has_no_signer() -> None:
    changed = document()
    changed["targets"][0]["credentials"] = None
    assert load_snapshot(1, changed).targets["first"].signer is None


def test_grants_are_compiled() -> None:
    allow = [{"buckets": ["a-*"], "operations": ["GetObject"]}]
    entry = {**document()["identities"][0], "allow": allow, "targets": ["first"]}
    caller = load(identities=[entry]).callers[b"AKIDCLIENT"]
    assert caller.may("GetObject", b"a-1")
    assert not caller.may("GetObject", b"b")
    assert not caller.reaches("generic")


def test_who_sees_decisions() -> None:
    hidden, told = load().callers, load(show_decisions=True).callers
    assert not hidden[b"AKIDCLIENT"].sees_decisions
    assert told[b"AKIDCLIENT"].sees_decisions


def test_the_first_key_seals_and_all_verify() -> None:
    old, new = "01" * 32, "02" * 32
    origin = UploadOrigin("first", b"bucket")
    text = load(seal_keys=[old]).sealer.seal(origin, b"id", b"bucket", b"key")
    both = load(seal_keys=[new, old]).sealer
    assert both.open(text, b"bucket", b"key") == (origin, b"id")
    assert both.seal(origin, b"id", b"bucket", b"key") != text
    assert load(seal_keys=[new]).sealer.open(text, b"bucket", b"key") is None


def test_another_format_and_a_torn_document_are_refused() -> None:
    with pytest.raises(ValueError, match="format 1"):
        load(format=1)
    torn = document()
    del torn["rules"]
    with pytest.raises(KeyError):
        load_snapshot(1, torn)


def test_no_secret_shows() -> None:
    shown = repr(load(mode="sigv4"))
    assert "secret" not in shown
    assert "5e5e" not in shown
    assert r"^^" not in shown  # the same as bytes


def test_each_key_of_an_identity_is_the_same_caller_with_another_secret() -> None:
    pairs = [("AKIDOLD", "old"), ("AKIDNEW", "new")]
    keys = [{"access_key_id": key, "secret_access_key": secret} for key, secret in pairs]
    allow = [{"buckets": ["a-*"], "operations": ["GetObject"]}]
    entry = document()["identities"][0]
    entry = {**entry, "keys": keys, "allow": allow, "credentials": {"first": "first"}}
    old, new = load(identities=[entry]).callers.values()
    assert [(one.access_key_id, one.secret) for one in (old, new)] == [
        (b"AKIDOLD", b"old"),
        (b"AKIDNEW", b"new"),
    ]
    assert (old.name, old.grants, old.targets) == (new.name, new.grants, new.targets)
    assert old.signers["first"] is new.signers["first"]
    assert (old.key_id, new.key_id) == ("AKIDOLD", "AKIDNEW")
