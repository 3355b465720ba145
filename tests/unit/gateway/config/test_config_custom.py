"""The settings of a custom router, and what its class is given."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from fastpath.routing.snapshot import load_snapshot
from gateway.config import schema
from gateway.config.compile import compile_snapshot
from gateway.config.custom_router import SECRET_SETTINGS
from gateway.config.effective import effective
from tests.unit.gateway.config.loading import LAKEFS, S3, Desk, desk

__all__ = ["desk"]

CUSTOM = S3 + LAKEFS + "routing:\n  custom: custom_router:CustomRouter\n"
SEED = Path(__file__).parents[3] / "seed" / "files" / "10-custom-router.py"


@pytest.fixture
def seed(desk: Desk) -> Desk:
    (desk.directory / "custom_router.py").write_text(SEED.read_text())
    return desk


def test_the_class_is_imported_from_beside_the_file(seed: Desk) -> None:
    loaded = seed.load(CUSTOM)
    assert loaded.model is not None, loaded.problems
    assert loaded.router is not None
    assert loaded.router.path == (str(seed.directory),)
    assert len(loaded.router.stamp) == 64


def test_a_class_that_does_not_import_is_a_problem_at_its_setting(desk: Desk) -> None:
    loaded = desk.load(CUSTOM)
    assert loaded.model is None
    (problem,) = loaded.problems
    assert problem.format() == (
        f"{desk.file}:4:11: routing.custom: ModuleNotFoundError: No module named 'custom_router' "
        f"(put it into routing.custom_path (searched: {desk.directory}))"
    )


def test_nothing_is_imported_beside_another_error_or_for_a_text_that_was_accepted(
    desk: Desk,
) -> None:
    trace = desk.directory / "trace"
    (desk.directory / "custom_router.py").write_text(f"open({str(trace)!r}, 'w')\n")
    assert desk.problems(CUSTOM + "  default_target: nowhere\n") == [
        "routing.default_target: 'nowhere' is no target (known: lakefs or s3)"
    ]
    from gateway import config

    again = config.load({"config": str(desk.file)}, {}, CUSTOM)
    assert again.model is not None
    assert again.router is not None
    assert again.router.stamp == ""
    assert not trace.exists()
    desk.load(CUSTOM)
    assert trace.exists()


def test_every_configured_target_is_there_for_it(seed: Desk) -> None:
    archive = 'targets: {archive: {endpoint: "http://127.0.0.1:1", access_key_id: A, '
    archive += "secret_access_key: B}}\n"
    assert set(seed.model(archive + CUSTOM).targets) == {"archive", "lakefs", "s3"}


def test_one_that_only_the_environment_half_gives_is_not_missed(seed: Desk) -> None:
    text = CUSTOM.replace(LAKEFS, "")
    half = {"LAKEFS_ACCESS_KEY_ID": "AKID9", "LAKEFS_SECRET_ACCESS_KEY": "hidden-9"}
    assert set(seed.model(text, half).targets) == {"s3"}
    whole = {**half, "LAKEFS_ENDPOINT": "http://127.0.0.1:1"}
    assert set(seed.model(text, whole).targets) == {"s3", "lakefs"}


def test_a_snapshot_says_how_it_is_asked(seed: Desk) -> None:
    more = "  custom_timeout_ms: 20\n  custom_reads: [lakefs, s3]\n  custom_failure: fall_through\n"
    for text, expected in (
        (CUSTOM, (0.05, True, ())),
        (CUSTOM + more, (0.02, False, ("lakefs", "s3"))),
    ):
        document = compile_snapshot(seed.model(text), {}, "an address")
        custom = load_snapshot(1, {**document, "instance": ""}).custom
        assert custom is not None
        assert (custom.timeout_seconds, custom.refuses, custom.reads) == expected
        assert custom.address == b"an address"
    document = compile_snapshot(seed.model(S3), {})
    assert load_snapshot(1, {**document, "instance": ""}).custom is None


def test_what_is_in_effect_is_shown_only_with_a_class(seed: Desk) -> None:
    shown: Any = effective(seed.model(CUSTOM))
    assert shown["routing"]["custom_memory_mb"] == 512
    shown = effective(seed.model(S3))
    assert not [name for name in shown["routing"] if name.startswith("custom")]


WRITTEN = """
router: {workers: 4}
auth:
  identities:
    - name: a
      access_key_id: IDKEY
      secret_access_key: hidden-3
      credentials: {s3: {access_key_id: K, secret_access_key: hidden-4}}
targets:
  archive:
    endpoint: "http://${HOST}:1"
    access_key_id: "12"
    secret_access_key: ${SECRET}
    tls:
    pool: {wait_seconds: 1.5, max_waiters: 1e3}
"""


def test_the_class_is_given_what_is_written_without_secrets(seed: Desk) -> None:
    rule = "  rules:\n    - {pattern: '1', target: lakefs, operations: [GET], description: no}\n"
    environ = {"HOST": "127.0.0.1", "SECRET": "hidden-5"}
    loaded = seed.load(
        CUSTOM + rule + WRITTEN.replace("max_waiters: 1e3", "max_waiters: 10"), environ
    )
    assert loaded.model is not None, loaded.problems
    assert loaded.router is not None
    config: Any = json.loads(loaded.router.config)
    assert "hidden" not in loaded.router.encoded().decode()
    assert config["routing"]["rules"] == [
        {"pattern": "1", "target": "lakefs", "operations": ["GET"], "description": "no"}
    ]
    assert config["router"] == {"workers": 4}
    assert config["targets"]["archive"] == {
        "endpoint": "http://127.0.0.1:1",
        "access_key_id": "12",
        "tls": None,
        "pool": {"wait_seconds": 1.5, "max_waiters": 10},
    }
    assert config["targets"]["lakefs"]["endpoint"] == "http://127.0.0.1:8000"


def test_every_setting_that_is_secret_is_dropped() -> None:
    sections = [
        value
        for value in vars(schema).values()
        if isinstance(value, type) and issubclass(value, schema.Section)
    ]
    secret = {
        name
        for section in sections
        for name, field in section.model_fields.items()
        if re.search(SecretStr.__name__, repr(field.annotation))
    }
    assert secret == SECRET_SETTINGS
