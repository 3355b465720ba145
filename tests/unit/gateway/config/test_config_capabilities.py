"""`profile_overrides` and `addressing`: what a file may say, what a worker and an operator see."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
import yaml

from fastpath.routing.profiles import PROFILES, Profile
from fastpath.routing.snapshot import load_snapshot
from gateway.config.capabilities import capabilities, differences
from gateway.config.compile import compile_snapshot
from gateway.config.effective import REDACTED, effective, render
from gateway.config.schema import PROFILE_WORDS, ProfileOverrides
from tests.unit.gateway.config.loading import Desk

KEYS = "access_key_id: A, secret_access_key: hidden-9"
OVERRIDES = """\
verifies_digest: true
operations: [list, GetObject, PUT]
lacks: [PutObjectAcl]
overlooks: {DeleteObject: [If-Match, versionId], PutObject: []}
streaming: []
lists: [sorted]
"""


def target(more: str, profile: str = "generic") -> str:
    """A configuration in which everything goes to the target `a`."""
    return (
        f"targets: {{a: {{endpoint: 'http://store.test', profile: {profile}, {KEYS}, {more}}}}}\n"
        "routing: {default_target: a}\n"
    )


def overriding(text: str, profile: str = "generic") -> str:
    return target(f"profile_overrides: {json.dumps(yaml.safe_load(text))}", profile)


def compiled(desk: Desk, text: str) -> Profile:
    """The profile that a worker gets."""
    document = json.loads(json.dumps(compile_snapshot(desk.model(text), {})))
    return load_snapshot(1, {"instance": "", **document}).targets["a"].profile


def test_every_shipped_profile_may_be_named() -> None:
    assert set(PROFILE_WORDS) == set(PROFILES)


def test_every_capability_may_be_overridden() -> None:
    others = {"name", "anonymous", "assumed", "dialect"}
    assert set(ProfileOverrides.model_fields) == {field.name for field in fields(Profile)} - others


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("base", PROFILES)
def test_a_profile_can_be_made_of_any_other(desk: Desk, base: str, name: str) -> None:
    wanted = PROFILES[name]
    overrides = differences(PROFILES[base], capabilities(wanted))
    if overrides.get("operations", "") is None:
        overrides["operations"] = "all"
    made = compiled(desk, target(f"profile_overrides: {json.dumps(overrides)}", base))
    assert capabilities(made) == capabilities(wanted)
    assert made.name == base


def test_overrides_reach_the_workers(desk: Desk) -> None:
    made = compiled(desk, overriding(OVERRIDES))
    assert made.verifies_digest
    assert not made.verifies_md5
    assert made.operations is not None
    assert {"ListBuckets", "GetObject", "PutObject"} <= made.operations
    assert "DeleteObject" not in made.operations
    assert made.lacks == {"PutObjectAcl"}
    assert made.overlooks == {"DeleteObject": {b"if-match", b"versionId"}, "PutObject": set()}
    assert made.lists == {"sorted"}


def test_what_a_profile_says_anyway_is_no_override(desk: Desk) -> None:
    text = overriding("{verifies_digest: false, streaming: [], verifies_md5: true}")
    assert desk.model(text).targets["a"].overrides == {"verifies_md5": True}


@pytest.mark.parametrize("profile", ["generic", "lakefs"])
def test_are_shown_and_can_be_read_again(desk: Desk, profile: str) -> None:
    text = overriding(OVERRIDES.replace("[list, GetObject, PUT]", "all"), profile)
    model = desk.model(text)
    shown = render(effective(model)).replace(REDACTED, "hidden-9")
    assert desk.model(shown).targets["a"].overrides == model.targets["a"].overrides
    loaded = desk.load(text)
    lines = render(effective(loaded.model), loaded.tree).splitlines()
    (line,) = [line.strip() for line in lines if "lacks" in line]
    assert line == f"lacks: [PutObjectAcl]  # {desk.file}:1"


def test_an_assumed_profile_may_be_overridden_without_a_warning(desk: Desk) -> None:
    text = "{verifies_digest: true, verifies_md5: true, verifies_documents: true}"
    assert desk.problems(overriding(text)) == []
    assert len(desk.problems(overriding(text, "seaweedfs"))) == 2
    assert desk.problems(overriding("{lacks: [GetObjectAcl], verifies_md5: false}", "s3")) == []


@pytest.mark.parametrize(
    ("endpoint", "profile", "addressing", "virtual"),
    [
        ("http://store.test", "s3", None, False),
        ("https://s3.eu-west-1.amazonaws.com", "s3", None, False),
        ("https://s3.eu-west-1.amazonaws.com", "s3", "auto", True),
        ("http://127.0.0.1:9000", "s3", "auto", False),
        ("https://store.test", "generic", "auto", False),
        ("https://store.test", "generic", "virtual", True),
        ("https://s3.eu-west-1.amazonaws.com", "s3", "path", False),
    ],
)
def test_addressing(
    desk: Desk, endpoint: str, profile: str, addressing: str | None, virtual: bool
) -> None:
    more = f"addressing: {addressing}" if addressing else "region: us-east-1"
    model = desk.model(target(more, profile).replace("http://store.test", endpoint))
    assert model.targets["a"].virtual is virtual
    shown = render(effective(model)).replace(REDACTED, "hidden-9")
    assert f"addressing: {'virtual' if virtual else 'path'}" in shown
    assert desk.model(shown).targets["a"].virtual is virtual


def test_a_store_that_finds_the_bucket_in_the_host_is_asked_so_by_auto(desk: Desk) -> None:
    more = "addressing: auto, profile_overrides: {virtual_hosts: true}"
    assert desk.model(target(more)).targets["a"].virtual
