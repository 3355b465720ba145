"""`gateway.control.credentials`: who is asked, when again, and what happens when nobody answers."""

from __future__ import annotations

import datetime
import threading
import time

import pytest

from gateway import config
from gateway.config.credential_sources import CredentialSource
from gateway.config.schema import Config
from gateway.control.credentials import (
    REFRESH_AGAIN_SECONDS,
    REFRESH_AHEAD_SECONDS,
    Chain,
    CredentialsError,
    Keyring,
    Resolved,
)

TWO = """
lakefs: {endpoint: "http://h", access_key_id: AKID1, secret_access_key: hidden-1}
s3: {region: eu-west-1}
targets: {team: {endpoint: "http://t", aws_profile: team}}
routing:
  rules: [{pattern: "lakefs-*", target: lakefs}, {pattern: "team-*", target: team}]
"""


@pytest.fixture
def model(tmp_path) -> Config:
    return load(tmp_path, TWO)


def load(tmp_path, text: str, environ: dict[str, str] | None = None) -> Config:
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    loaded = config.load({"config": str(file)}, environ or {})
    assert loaded.model is not None, [problem.format() for problem in loaded.problems]
    return loaded.model


class Answers:
    """Stands in for botocore: answers by profile, or raises what it is given."""

    def __init__(self, **answers) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, source: CredentialSource):
        name = source.aws_profile or "default"

        def ask() -> Resolved:
            self.asked.append(name)
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return ask


def test_static_pairs_need_nobody(tmp_path) -> None:
    text = "s3: {region: r}\n"
    pair = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "hidden"}
    answers = Answers()
    keyring = Keyring(load(tmp_path, text, pair), ask=answers)
    assert keyring.resolve() == {
        "s3": {
            "access_key_id": "AKIDENV",
            "secret_access_key": "hidden",
            "token": None,
        }
    }
    assert keyring.next_refresh() is None
    assert answers.asked == keyring.warnings == []


def test_each_source_is_asked_once_and_named_by_target(model: Config) -> None:
    answers = Answers(default=Resolved("D", "hidden", "t"), team=Resolved("T", "hidden"))
    keyring = Keyring(model, ask=answers)
    found = keyring.resolve()
    assert {name: entry["access_key_id"] for name, entry in found.items()} == {
        "lakefs": "AKID1",
        "s3": "D",
        "team": "T",
    }
    assert sorted(answers.asked) == ["default", "team"]


def test_a_source_that_fails_costs_only_its_own_target(model: Config) -> None:
    answers = Answers(default=Resolved("D", "hidden"), team=CredentialsError("no such profile"))
    keyring = Keyring(model, ask=answers)
    assert set(keyring.resolve()) == {"lakefs", "s3"}
    assert keyring.warnings == [
        "target team: no new credentials, its requests are refused (503): no such profile"
    ]


def test_a_bug_in_a_provider_is_a_failure_like_another(model: Config) -> None:
    answers = Answers(default=Resolved("D", "hidden"), team=RuntimeError("boom\nbang"))
    keyring = Keyring(model, ask=answers)
    keyring.resolve()
    assert keyring.warnings[0].endswith("RuntimeError: boom bang")


def test_a_source_that_hangs_does_not_hold_up_the_rest(model: Config) -> None:
    release = threading.Event()

    def ask(source: CredentialSource):
        def hang() -> Resolved:
            release.wait(30)
            return Resolved("late", "hidden")

        return hang if source.aws_profile else lambda: Resolved("D", "hidden")

    keyring = Keyring(model, ask=ask, deadline_seconds=0.1)
    started = time.monotonic()
    assert set(keyring.resolve()) == {"lakefs", "s3"}
    assert time.monotonic() - started < 5
    assert "no answer within the deadline" in keyring.warnings[0]
    release.set()
    late = Keyring(model, ask=ask, previous=keyring)
    assert late.resolve()["team"]["access_key_id"] == "late"


def test_asks_again_well_before_expiry(model: Config) -> None:
    now = time.time()
    answers = Answers(
        default=Resolved("D", "hidden", "t", now + 3600), team=Resolved("T", "hidden")
    )
    keyring = Keyring(model, ask=answers)
    keyring.resolve()
    assert keyring.next_refresh() == pytest.approx(now + 3600 - REFRESH_AHEAD_SECONDS, abs=2)


@pytest.mark.parametrize(("left", "wait"), [(600, 60), (120, 30), (2, 1), (-5, 1)])
def test_inside_the_window_it_asks_at_a_pace(model: Config, left: float, wait: float) -> None:
    answers = Answers(
        default=Resolved("D", "hidden", "t", time.time() + left), team=Resolved("T", "hidden")
    )
    keyring = Keyring(model, ask=answers)
    keyring.resolve()
    assert keyring.next_refresh() == pytest.approx(time.time() + wait, abs=2)


def test_what_was_found_bridges_a_failure_until_it_expires(model: Config) -> None:
    answers = Answers(
        default=Resolved("D", "hidden", "t", time.time() + 600), team=Resolved("T", "hidden")
    )
    keyring = Keyring(model, ask=answers)
    keyring.resolve()
    answers.answers["default"] = CredentialsError("away")
    assert keyring.resolve()["s3"]["access_key_id"] == "D"
    assert "the last ones are still good" in keyring.warnings[0]
    reloaded = Keyring(model, ask=answers, previous=keyring)
    assert reloaded.resolve()["s3"]["access_key_id"] == "D"
    answers.answers["default"] = Resolved("D", "hidden", "t", time.time() - 1)
    keyring.resolve()
    answers.answers["default"] = CredentialsError("away")
    assert "s3" not in keyring.resolve()


def test_a_source_without_any_is_asked_again_ever_more_rarely(model: Config) -> None:
    answers = Answers(default=Resolved("D", "hidden"), team=CredentialsError("none"))
    keyring = Keyring(model, ask=answers)
    waits = []
    for _ in range(6):
        keyring.resolve()
        waits.append(round((keyring.next_refresh() - time.time()) / REFRESH_AGAIN_SECONDS))
    assert waits == [1, 2, 4, 8, 15, 15]


def test_a_source_that_answers_again_is_not_punished_for_its_past(model: Config) -> None:
    answers = Answers(default=Resolved("D", "hidden"), team=CredentialsError("none"))
    keyring = Keyring(model, ask=answers)
    for _ in range(4):
        keyring.resolve()
    answers.answers["team"] = Resolved("T", "hidden")
    keyring.resolve()
    assert keyring.next_refresh() is None
    answers.answers["team"] = CredentialsError("none")
    keyring.resolve()
    assert round(keyring.next_refresh() - time.time()) == REFRESH_AGAIN_SECONDS


def test_a_source_that_was_forgotten_is_asked_from_the_start(model: Config) -> None:
    made: list[str] = []
    answers = Answers(team=Resolved("AKID-T", "t"), default=Resolved("AKID-D", "d"))

    def ask(source: CredentialSource):
        made.append(source.aws_profile or "default")
        return answers(source)

    keyring = Keyring(model, ask=ask)
    keyring.resolve()
    assert sorted(made) == ["default", "team"]
    assert keyring.forget("team")
    answers.answers["team"] = CredentialsError("away")
    assert keyring.resolve()["team"]["access_key_id"] == "AKID-T"  # bridged
    answers.answers["team"] = Resolved("AKID-NEW", "n")
    assert keyring.resolve()["team"]["access_key_id"] == "AKID-NEW"
    assert sorted(made) == ["default", "team", "team"]
    assert not keyring.forget("lakefs")  # static: nobody to ask
    assert not keyring.forget("unknown")


def test_no_secret_in_a_repr(model: Config) -> None:
    answers = Answers(default=Resolved("D", "hidden-9", "hidden-t"), team=Resolved("T", "hidden"))
    keyring = Keyring(model, ask=answers)
    keyring.resolve()
    assert "hidden" not in repr(keyring)
    assert "hidden" not in repr(Resolved("D", "hidden-9", "hidden-t"))


# botocore's own chain


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """A machine without any credentials, and no instance metadata to ask."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ENDPOINT_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return monkeypatch


def test_nothing_anywhere_is_said(bare) -> None:
    with pytest.raises(CredentialsError, match="the default chain has none"):
        Chain(CredentialSource())()


def test_a_session_token_of_the_environment(bare) -> None:
    bare.setenv("AWS_ACCESS_KEY_ID", "ASIA1")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    bare.setenv("AWS_SESSION_TOKEN", "token")
    assert Chain(CredentialSource())() == Resolved("ASIA1", "hidden", "token", None)


def test_a_profile(bare, tmp_path) -> None:
    (tmp_path / "credentials").write_text(
        "[team]\naws_access_key_id = AKIDTEAM\naws_secret_access_key = hidden\n"
    )
    found = Chain(CredentialSource(aws_profile="team"))()
    assert found == Resolved("AKIDTEAM", "hidden", None, None)
    with pytest.raises(CredentialsError, match=r"ProfileNotFound: .*other"):
        Chain(CredentialSource(aws_profile="other"))()


def test_a_process_that_gives_credentials_with_an_end(bare, tmp_path) -> None:
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    answer = tmp_path / "answer.json"
    answer.write_text(
        '{"Version": 1, "AccessKeyId": "ASIA2", "SecretAccessKey": "hidden", '
        f'"SessionToken": "t", "Expiration": "{end.isoformat()}"}}'
    )
    (tmp_path / "config").write_text(f"[profile team]\ncredential_process = /bin/cat {answer}\n")
    found = Chain(CredentialSource(aws_profile="team"))()
    assert (found.access_key_id, found.token) == ("ASIA2", "t")
    assert found.expires == pytest.approx(end.timestamp(), abs=1)


def test_a_broken_configuration_of_aws_is_said(bare, tmp_path) -> None:
    (tmp_path / "config").write_text("[profile\nnonsense")
    with pytest.raises(CredentialsError, match="ConfigParseError"):
        Chain(CredentialSource(aws_profile="team"))()
