"""The keys that upload ids are sealed with: of `router.secret_file`, or of static secrets."""

from __future__ import annotations

import pytest

from gateway.config.compile import compile_snapshot
from gateway.config.effective import effective, render
from gateway.config.schema import Config
from gateway.config.seal_keys import MAX_KEPT, MAX_LINES, SealKeys, seal_keys
from tests.unit.gateway.config.loading import LAKEFS, S3, Desk

FILE = f"{S3}router: {{secret_file: sealing}}\n"
NEW, OLD = "hidden-new-0123456789", "hidden-old-0123456789"
CHAIN = "auth: {mode: open}\ns3: {region: eu-west-1}\n"  # no static secret
START = b"drawn at the start"


def keys_of_file(desk: Desk, content: str) -> tuple[bytes, ...]:
    (desk.directory / "sealing").write_text(content)
    return seal_keys(desk.model(FILE))


# The file


def test_each_line_is_a_key(desk: Desk) -> None:
    new, old = keys_of_file(desk, f"{NEW}\n{OLD}\n")
    assert keys_of_file(desk, f"{OLD}\n") == (old,)
    assert keys_of_file(desk, f"\n# since June\r\n  {NEW}\r\n\n#{NEW}\n{OLD} ") == (new, old)
    assert keys_of_file(desk, f"{NEW}\n{OLD}\n{NEW}\n") == (new, old)


def test_the_file_alone_makes_the_keys(desk: Desk) -> None:
    """Replicas agree whatever else differs, and access keys may rotate."""
    keys = keys_of_file(desk, NEW)
    assert seal_keys(desk.model(FILE.replace("hidden-2", "hidden-3"))) == keys
    assert seal_keys(desk.model(f"{CHAIN}router: {{secret_file: sealing}}\n")) == keys


def test_fifteen_characters_are_too_few(desk: Desk) -> None:
    assert len(keys_of_file(desk, "x" * 16)) == 1
    (desk.directory / "sealing").write_text("x" * 15)
    complaint = "line 1 of the file has less than 16 characters"
    assert f"router.secret_file: {complaint} (make one with: openssl rand -hex 32)" in (
        desk.problems(FILE)
    )


@pytest.mark.parametrize("content", ["", "\n\r\n", f"# {NEW}\n"])
def test_a_file_without_a_secret_is_a_problem(desk: Desk, content: str) -> None:
    (desk.directory / "sealing").write_text(content)
    complaint = "router.secret_file: the file holds no secret"
    assert f"{complaint} (make one with: openssl rand -hex 32)" in desk.problems(FILE)
    assert desk.load(FILE).model is None


def test_the_number_of_lines_is_bounded(desk: Desk) -> None:
    lines = [f"{number}-{NEW}\n" for number in range(MAX_LINES)]
    assert len(keys_of_file(desk, "".join(lines))) == MAX_LINES
    (desk.directory / "sealing").write_text("".join([*lines, OLD]))
    complaint = "router.secret_file: the file holds more than 8 secrets"
    assert f"{complaint} (remove the last lines, which are the oldest)" in desk.problems(FILE)


def test_the_file_is_watched(desk: Desk) -> None:
    (desk.directory / "sealing").write_text(NEW)
    assert desk.directory / "sealing" in desk.load(FILE).watched_files()


def test_no_line_of_the_file_is_anywhere(desk: Desk) -> None:
    """Not in the snapshot either: nobody learns from a worker what else the secret may protect."""
    keys = keys_of_file(desk, f"{NEW}\n{OLD}\n")
    model = desk.model(FILE)
    text = render(effective(model))
    assert "secret_file: sealing" in text
    document = compile_snapshot(model, {})
    assert document["seal_keys"] == [key.hex() for key in keys]
    held = SealKeys.after(None, model, START)
    for shown in (text, repr(model), repr(document), repr(held)):
        assert NEW not in shown
        assert NEW.encode().hex() not in shown
        assert OLD not in shown
    for shown in (text, repr(model), repr(held), str(held), f"{held}"):
        assert keys[0].hex() not in shown
        assert repr(keys[0])[2:-1] not in shown


# Static secrets


def test_replicas_agree_whatever_the_order_and_the_names(desk: Desk) -> None:
    (key,) = seal_keys(desk.model(f"{S3}{LAKEFS}routing: {RULE}\n"))
    swapped = f"{LAKEFS}{S3}router: {{workers: 3}}\nrouting: {RULE}\n"
    swapped = swapped.replace("AKID1", "AKID9")
    assert seal_keys(desk.model(swapped)) == (key,)


RULE = "{rules: [{pattern: a, target: lakefs}]}"
IDENTITY = """
auth:
  identities:
    - name: one
      access_key_id: AKID3
      secret_access_key: hidden-3
      credentials: {s3: {access_key_id: AKID4, secret_access_key: hidden-4}}
"""


@pytest.mark.parametrize("secret", ["hidden-2", "hidden-3", "hidden-4"])
def test_every_static_secret_is_in_the_key(desk: Desk, secret: str) -> None:
    text = S3 + IDENTITY
    before = seal_keys(desk.model(text))
    assert len(before) == 1
    assert seal_keys(desk.model(text.replace(secret, "hidden-5"))) != before


def test_no_two_lists_of_secrets_make_one_key(desk: Desk) -> None:
    def key(one: str, two: str) -> tuple[bytes, ...]:
        text = (S3 + IDENTITY).replace("hidden-2", one).replace("hidden-3", two)
        return seal_keys(desk.model(text.replace("hidden-4", one)))

    assert len({key("a", "bc"), key("ab", "c"), key("abc", "abc")}) == 3


def test_a_chain_of_credentials_makes_no_key(desk: Desk) -> None:
    """They expire, and replicas have different ones."""
    assert seal_keys(desk.model(CHAIN)) == ()
    ambient = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "hidden"}
    assert seal_keys(desk.model(CHAIN, {**ambient, "AWS_SESSION_TOKEN": "t"})) == ()
    assert len(seal_keys(desk.model(CHAIN, ambient))) == 1


def test_nobody_is_warned_who_has_a_key(desk: Desk) -> None:
    (desk.directory / "sealing").write_text(NEW)
    identity = "auth: {identities: [{name: a, access_key_id: B, secret_access_key: hidden}]}\n"
    chain = "s3: {region: eu-west-1}\n"
    for text in (FILE, S3, identity + chain, f"{CHAIN}router: {{secret_file: sealing}}\n"):
        assert not [line for line in desk.problems(text) if "secret_file" in line]
    assert [line for line in desk.problems(CHAIN) if "router.secret_file" in line]


@pytest.mark.parametrize(
    ("identities", "targets", "warned"),
    [
        ("[{name: a, access_key_id: B, secret_access_key: hidden, ALLOW}]", "", True),
        ("[{name: a, access_key_id: B, secret_access_key: hidden}]", "", False),
        ("[{name: a, access_key_id: B, secret_access_key: hidden, ALLOW}]", S3, False),
        (
            "[{name: a, access_key_id: B, secret_access_key: hidden, ALLOW},"
            " {name: c, access_key_id: D, secret_access_key: hidden-too, ALLOW}]",
            "",
            False,
        ),
        (
            "[{name: a, access_key_id: B, secret_access_key: hidden, ALLOW,"
            " credentials: {s3: {access_key_id: D, secret_access_key: hidden-too}}}]",
            "",
            False,
        ),
        (
            "[{name: a, access_key_id: B, secret_access_key: hidden, ALLOW,"
            " keys: [{access_key_id: D, secret_access_key: hidden-too}]}]",
            "",
            True,
        ),
        (
            "[{name: a, access_key_id: B, secret_access_key: hidden, ALLOW},"
            " {name: c, keys: [{access_key_id: D, secret_access_key: hidden-too}], ALLOW}]",
            "",
            False,
        ),
    ],
)
def test_a_key_that_a_client_with_few_rights_can_make_is_warned_about(
    desk: Desk, identities: str, targets: str, warned: bool
) -> None:
    """Its ids could name any bucket of a target, and its rights are asked by its own bucket."""
    listed = identities.replace("ALLOW", 'allow: [{buckets: ["a-*"], actions: [read]}]')
    text = f"{targets or 's3: {region: eu-west-1}'}\nauth: {{identities: {listed}}}\n"
    assert desk.load(text).model is not None, desk.problems(text)
    told = [line for line in desk.problems(text) if "router.secret_file" in line]
    assert bool(told) == warned
    assert all("and a has every secret" in line for line in told)


# One configuration after another


@pytest.fixture
def models(desk: Desk) -> dict[str, Config]:
    """Configurations by name: `f` of a file, `f2` of one with another line, the rest static."""
    found = {name: desk.model(S3.replace("hidden-2", f"hidden-{name}")) for name in "abcdefgh"}
    for name, content in (("f", f"{NEW}\n{OLD}"), ("f2", f"{NEW[::-1]}")):
        (desk.directory / "sealing").write_text(content)
        found[name] = desk.model(FILE)
    found["random"] = desk.model(CHAIN)
    return found


def followed(models: dict[str, Config], names: str) -> tuple[SealKeys, bool]:
    """The keys after these configurations, and whether the last one is warned about."""
    present: SealKeys | None = None
    warned = False
    for name in names.split():
        before, present = present, SealKeys.after(present, models[name], START)
        warned = present.changed(before)
    assert present is not None
    return present, warned


@pytest.mark.parametrize(
    ("names", "kept", "warned"),
    [
        ("a", "", False),
        ("a a", "", False),
        ("a b", "a", True),
        ("a b b", "a", False),
        ("a b c", "b a", True),
        ("a b a", "b", True),
        ("a b c d e g h", "g e d c", True),
        ("f f2", "", False),  # a line that was taken out is refused at once
        ("a f", "a", False),
        ("a f f2", "a", False),
        ("f a", "f", True),
        ("random a", "random", True),
        ("random random", "", False),
        ("a random", "a", True),
    ],
)
def test_what_earlier_configurations_gave_verifies_on(
    models: dict[str, Config], names: str, kept: str, warned: bool
) -> None:
    wanted = [key for name in kept.split() for key in SealKeys.after(None, models[name], START)[0]]
    present, said = followed(models, names)
    assert present.given == SealKeys.after(None, models[names.split()[-1]], START).given
    assert present.ordered == (*present.given, *wanted)
    assert len(present.kept) <= MAX_KEPT
    assert said == warned


def test_a_key_is_drawn_for_each_start(models: dict[str, Config]) -> None:
    one = SealKeys.after(None, models["random"], START)
    assert one == SealKeys.after(None, models["random"], START)
    assert one.given != SealKeys.after(None, models["random"], b"of another start").given
    assert len(one.ordered) == 1
