"""What control publishes, and what it keeps of a configuration."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from gateway import config
from gateway.config.compile import compile_snapshot
from gateway.config.secrets import stamp
from gateway.control.snapshot_maker import Lifelong, Publication, Refusal, differs, read

TEXT = """
s3: {endpoint: "http://127.0.0.1:9000", access_key_id: AKID2, secret_access_key: hidden-2}
routing:
  rules:
    - {pattern: "a-*", operations: [read], target: s3, description: "of team a"}
    - {pattern: "b", target: s3}
"""

LIFELONG = Lifelong("mark", "an address", b"drawn at the start")


@pytest.fixture
def launch(tmp_path: Path) -> dict[str, object]:
    file = tmp_path / "gateway.yaml"
    file.write_text(TEXT)
    return {"config": str(file)}


def published(launch: dict[str, object]) -> Publication:
    found = read(launch, LIFELONG, None)
    assert isinstance(found, Publication), found
    return found


def test_the_snapshot_is_the_whole_document(launch: dict[str, object]) -> None:
    found = published(launch)
    model = config.load(launch, {}).model
    assert model is not None
    wanted = {**compile_snapshot(model, found.keyring.resolve()), "instance": "mark"}
    assert json.loads(found.snapshot()) == json.loads(json.dumps(wanted))
    assert found.snapshot().count(b'"rules":') == 1
    assert len(wanted["rules"]["kind_of"]) == 2  # type: ignore[index,call-overload]


def test_the_same_configuration_gives_the_same_bytes(launch: dict[str, object]) -> None:
    first = published(launch)
    assert first.snapshot() == first.snapshot() == published(launch).snapshot()


def test_rules_are_kept_as_text_alone(launch: dict[str, object]) -> None:
    found = published(launch)
    assert found.model.rules == ()
    assert "of team a" not in found.rules


def test_a_configuration_with_errors_publishes_nothing(launch: dict[str, object]) -> None:
    Path(str(launch["config"])).write_text(TEXT + "    - {pattern: c, target: nowhere}\n")
    found = read(launch, LIFELONG, None)
    assert isinstance(found, Refusal)
    assert ":7:28: routing.rules[2].target: 'nowhere' is no target" in found.errors[0]


def test_an_accepted_text_is_loaded_whatever_the_file_says(launch: dict[str, object]) -> None:
    """A9: with the places of its problems, and without reading the file."""
    accepted = published(launch)
    Path(str(launch["config"])).write_text("half: [")
    again = read(launch, LIFELONG, accepted, accepted.text)
    assert isinstance(again, Publication)
    assert again.snapshot() == accepted.snapshot()
    assert isinstance(read(launch, LIFELONG, accepted), Refusal)
    Path(str(launch["config"])).unlink()
    assert isinstance(read(launch, LIFELONG, accepted, accepted.text), Publication)


def test_how_a_file_differs_is_told(launch: dict[str, object]) -> None:
    """A9: a byte order mark is no difference."""
    path = str(launch["config"])
    assert differs(path, TEXT) == ""
    Path(path).write_bytes(codecs.BOM_UTF8 + TEXT.encode())
    assert differs(path, TEXT) == ""
    assert differs(path, published(launch).text) == ""
    Path(path).write_text(TEXT + "#")
    assert "differs" in differs(path, TEXT)
    Path(path).write_bytes(b"\xff")
    assert "differs" in differs(path, TEXT)
    Path(path).unlink()
    assert "cannot be read: No such file" in differs(path, TEXT)


def test_a_file_that_changes_while_it_is_read_has_changed(
    launch: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A9: its stamp is taken before, or a rotation in that moment would be missed for good."""
    secret = tmp_path / "secret"
    secret.write_text("hidden-3")
    text = TEXT.replace("secret_access_key: hidden-2", f"secret_access_key_file: {secret}")
    Path(str(launch["config"])).write_text(text)
    really = Path.open

    def opened_late(self: Path, *how: Any, **more: Any) -> Any:
        if self == secret and how == ("rb",):
            secret.write_text("hidden-four")
        return really(self, *how, **more)

    monkeypatch.setattr(Path, "open", opened_late)
    found = published(launch)
    assert found.stamps[secret] != stamp(secret)


def keys(publication: Publication) -> list[str]:
    found: list[str] = json.loads(publication.snapshot())["seal_keys"]
    return found


def rewritten(launch: dict[str, object], old: str, new: str) -> None:
    file = Path(str(launch["config"]))
    file.write_text(file.read_text().replace(old, new))


def test_another_secret_keeps_the_key_and_says_so(launch: dict[str, object]) -> None:
    first = published(launch)
    assert first.warnings == ()
    rewritten(launch, "hidden-2", "hidden-3")
    second = read(launch, LIFELONG, first)
    assert isinstance(second, Publication)
    assert len(keys(first)) == 1
    assert keys(second) == [*keys(published(launch)), *keys(first)]
    place = f"{launch['config']}:1:1: router.secret_file: warning: is not set, and the static"
    (warning,) = second.warnings
    assert warning.startswith(place)
    assert "openssl rand -hex 32" in warning
    third = read(launch, LIFELONG, second)
    assert isinstance(third, Publication)
    assert (keys(third), third.warnings) == (keys(second), ())


def test_a_replaced_control_takes_the_keys_of_what_is_served(launch: dict[str, object]) -> None:
    """Its snapshot is the one that is served: nothing is lost with a control that dies."""
    first = published(launch)
    rewritten(launch, "hidden-2", "hidden-3")
    second = read(launch, LIFELONG, first)
    assert isinstance(second, Publication)
    replaced = read(launch, LIFELONG, None, served=second.snapshot())
    assert isinstance(replaced, Publication)
    assert (replaced.snapshot(), replaced.warnings) == (second.snapshot(), ())
    rewritten(launch, "hidden-3", "hidden-4")
    replaced = read(launch, LIFELONG, None, served=second.snapshot())
    assert isinstance(replaced, Publication)
    assert keys(replaced)[1:] == keys(second)
    assert len(replaced.warnings) == 1


def test_a_replaced_control_keeps_no_line_that_was_taken_out(
    launch: dict[str, object], tmp_path: Path
) -> None:
    sealing = tmp_path / "sealing"
    sealing.write_text("one-0123456789-one\ntwo-0123456789-two\n")
    rewritten(launch, "routing:", f"router: {{secret_file: {sealing}}}\nrouting:")
    served = published(launch)
    assert len(keys(served)) == 2
    sealing.write_text("one-0123456789-one\n")
    replaced = read(launch, LIFELONG, None, served=served.snapshot())
    assert isinstance(replaced, Publication)
    assert keys(replaced) == keys(served)[:1]


def test_without_any_secret_the_key_is_of_the_start(launch: dict[str, object]) -> None:
    """Targets see the mark of an instance, so that it makes no key."""
    Path(str(launch["config"])).write_text("auth: {mode: open}\ns3: {endpoint: 'http://[::1]:1'}\n")

    def made(instance: str, secret: bytes) -> list[str]:
        found = read(launch, Lifelong(instance, "an address", secret), None)
        assert isinstance(found, Publication), found
        assert any("router.secret_file" in line for line in found.warnings)
        (key,) = [key.hex() for key in found.seal_keys.ordered]
        return [key]

    assert made("mark", b"one") == made("other", b"one")
    assert made("mark", b"one") != made("mark", b"two")
