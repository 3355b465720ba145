"""Who may come in: configured, implicit, refused."""

from __future__ import annotations

import json

import pytest

from fastpath.s3.operations import expand
from gateway.config.compile import compile_snapshot
from gateway.config.digest import digest
from gateway.config.effective import REDACTED, effective, render
from tests.unit.gateway.config.loading import LAKEFS, S3, SEED_VARIABLES, Desk

ROUTED = "routing: {rules: [{pattern: 'lakefs-*', target: lakefs}]}\n"
PUBLIC = ["0.0.0.0:8080"]


def names(model) -> dict[str, tuple[str, ...] | None]:
    return {identity.pair.access_key_id: identity.targets for identity in model.identities}


def test_on_loopback_each_static_pair_reaches_every_target(desk: Desk) -> None:
    model = desk.model(S3 + LAKEFS + ROUTED)
    assert names(model) == {"AKID1": None, "AKID2": None}
    assert all(identity.implicit for identity in model.identities)


@pytest.mark.parametrize("listen", [["127.0.0.1:1", "[::1]:1"], ["localhost:1"], ["127.9.9.9:1"]])
def test_what_is_loopback(desk: Desk, listen) -> None:
    assert desk.model(S3, listen=listen).loopback


@pytest.mark.parametrize("listen", [PUBLIC, [":8080"], ["[::]:1"], ["127.0.0.1:1", "10.0.0.1:1"]])
def test_elsewhere_a_pair_reaches_only_the_target_whose_it_is(desk: Desk, listen) -> None:
    model = desk.model(S3 + LAKEFS + ROUTED, listen=listen)
    assert names(model) == {"AKID1": ("lakefs",), "AKID2": ("s3",)}


def test_a_pair_of_two_targets_reaches_both(desk: Desk) -> None:
    text = (
        S3 + "lakefs: {endpoint: 'http://h', access_key_id: AKID2, secret_access_key: hidden-2}\n"
    )
    assert names(desk.model(text + ROUTED, listen=PUBLIC)) == {"AKID2": ("lakefs", "s3")}


def test_a_pair_of_a_target_that_nothing_reaches_lets_nobody_in(desk: Desk) -> None:
    assert names(desk.model(S3 + LAKEFS)) == {"AKID2": None}


def test_a_static_pair_of_the_environment_counts_as_held_for_s3(desk: Desk) -> None:
    pair = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "r"}
    assert names(desk.model("s3: {}", pair)) == {"AKIDENV": None}
    with_token = desk.model("s3: {}", {**pair, "AWS_SESSION_TOKEN": "t"})
    assert with_token.identities == ()
    assert names(desk.model("s3: {role_arn: 'arn:aws:iam::123456789012:role/r'}", pair)) == {}


def test_a_pair_that_is_exchanged_for_a_role_lets_nobody_in(desk: Desk) -> None:
    text = (
        "s3: {region: r, access_key_id: AKID2, secret_access_key: s, "
        "role_arn: 'arn:aws:iam::123456789012:role/r', external_id: x}\n"
    )
    model = desk.model(text)
    assert model.identities == ()
    assert model.targets["s3"].source.external_id == "x"


def test_the_published_keys_work_on_loopback_only(desk: Desk) -> None:
    assert names(desk.model(None, SEED_VARIABLES)) == {"AKIAIOSFODNN7EXAMPLE": None}
    lines = desk.problems(None, SEED_VARIABLES, listen=PUBLIC)
    assert any("published example keys" in line for line in lines)


def test_the_published_keys_of_a_target_are_fine_when_identities_are_configured(desk: Desk) -> None:
    text = "auth: {identities: [{name: a, access_key_id: K, secret_access_key: s}]}\n"
    assert names(desk.model(text, SEED_VARIABLES, listen=PUBLIC)) == {"K": None}


def test_a_configured_identity_with_all_its_settings(desk: Desk) -> None:
    text = f"""
auth:
  identities:
    - name: analytics
      access_key_id: AKID3
      secret_access_key: ${{SECRET}}
      allow: [{{buckets: ["analytics-*"], actions: [read, PutObject]}}, {{actions: [list]}}, {{}}]
      credentials: {{lakefs: {{access_key_id: AKID4, secret_access_key: hidden-4}}}}
{S3}{LAKEFS}"""
    (identity,) = desk.model(text, {"SECRET": "hidden-3"}).identities
    assert identity.pair.secret_access_key.get_secret_value() == "hidden-3"
    assert identity.targets is None
    assert identity.allow[0].buckets == ("analytics-*",)
    assert identity.allow[0].operations == expand("read") | {"PutObject"}
    assert identity.allow[1].buckets == ("*",)
    assert identity.allow[2].operations >= expand("admin") | expand("delete") | {"Unclassified"}
    assert identity.credentials["lakefs"].access_key_id == "AKID4"


def test_an_identity_may_have_several_pairs(desk: Desk) -> None:
    """Beside its name, in a list, in files; the snapshot has them in that order."""
    id_file, secret_file = desk.directory / "id", desk.directory / "secret"
    id_file.write_text("AKIDFILE\n")
    secret_file.write_text("hidden-file\n")
    text = f"""
auth:
  identities:
    - name: a
      access_key_id: AKIDA
      secret_access_key: hidden-a
      keys:
        - {{access_key_id: AKIDB, secret_access_key: '${{SECRET}}'}}
        - {{access_key_id_file: {id_file}, secret_access_key_file: {secret_file}}}
    - {{name: b, keys: [{{access_key_id: AKIDC, secret_access_key: hidden-c}}]}}
{S3}"""
    loaded = desk.load(text, {"SECRET": "hidden-b"})
    assert {id_file, secret_file} <= set(loaded.watched_files())
    pairs = [
        [(pair["access_key_id"], pair["secret_access_key"]) for pair in identity["keys"]]
        for identity in compile_snapshot(loaded.model, {})["identities"]
    ]
    of_a = [("AKIDA", "hidden-a"), ("AKIDB", "hidden-b"), ("AKIDFILE", "hidden-file")]
    assert pairs == [of_a, [("AKIDC", "hidden-c")]]
    shown = render(effective(loaded.model), loaded.tree)
    assert shown.count(f"secret_access_key: {json.dumps(REDACTED)}") == 5
    assert "hidden" not in shown
    assert "$SECRET" not in shown


def test_the_digest_tells_other_keys_and_not_other_secrets(desk: Desk) -> None:
    text = "auth: {{identities: [{{name: a, keys: [{keys}]}}]}}\n" + S3.replace("{", "{{").replace(
        "}", "}}"
    )
    one = "{access_key_id: A, secret_access_key: s}"
    same = "{access_key_id: A, secret_access_key: t}"
    more = one + ", {access_key_id: B, secret_access_key: s}"
    digests = [digest(desk.model(text.format(keys=keys))) for keys in (one, same, more)]
    assert digests[0] == digests[1] != digests[2]


def test_an_empty_allow_allows_nothing(desk: Desk) -> None:
    text = "auth: {identities: [{name: a, access_key_id: K, secret_access_key: s, allow: []}]}\n"
    assert desk.model(text + S3).identities[0].allow == ()


@pytest.mark.parametrize("by_default", [True, False])
def test_an_identity_sees_decisions_if_it_says_so_or_auth_does(
    desk: Desk, by_default: bool
) -> None:
    names = {"silent": "", "yes": ", show_decisions: true", "no": ", show_decisions: false"}
    entries = [
        f"{{name: {name}, access_key_id: K-{name}, secret_access_key: s{own}}}"
        for name, own in names.items()
    ]
    of_auth = "show_decisions: true, " if by_default else ""
    text = f"auth: {{{of_auth}identities: [{', '.join(entries)}]}}\n"
    document = compile_snapshot(desk.model(text + S3), {})
    seen = {identity["name"]: identity["show_decisions"] for identity in document["identities"]}
    assert seen == {"silent": by_default, "yes": True, "no": False}
    assert document["auth"]["show_decisions"] is by_default


def test_the_key_of_a_target_sees_decisions_if_auth_says_so(desk: Desk) -> None:
    for text, expected in ((S3, False), (S3 + "auth: {show_decisions: true}\n", True)):
        (identity,) = compile_snapshot(desk.model(text), {})["identities"]
        assert identity["show_decisions"] is expected


def test_open_mode_is_for_loopback_or_for_those_who_insist(desk: Desk) -> None:
    text = S3 + "auth: {mode: open}\n"
    assert desk.model(text).identities == ()
    assert desk.load(text, listen=PUBLIC).model is None
    assert desk.model(text, listen=PUBLIC, insecure_open=True).mode == "open"


def test_no_secret_shows_in_a_repr(desk: Desk) -> None:
    text = S3 + "auth: {identities: [{name: a, access_key_id: K, secret_access_key: hidden}]}\n"
    loaded = desk.load(text)
    assert "hidden" not in repr(loaded)
    assert "hidden" not in str(loaded.model)
