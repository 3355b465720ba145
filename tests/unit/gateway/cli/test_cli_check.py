"""`s3gateway check`, `config` and `explain`: answers on stdout, messages on stderr, exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

SEED = Path(__file__).parents[3] / "seed" / "files"
BASIC = SEED / "02-basic-config.yaml"

FULL = """
auth:
  identities:
    - {name: reader, access_key_id: A, secret_access_key: hidden, allow: [{actions: [read]}]}
s3: {endpoint: "http://127.0.0.1:9000", access_key_id: B, secret_access_key: hidden}
lakefs: {endpoint: "http://127.0.0.1:8000", access_key_id: C, secret_access_key: hidden-2}
routing:
  rules:
    - {pattern: "x-*", operations: [write], target: lakefs, description: "versioned\\twrites"}
    - {pattern: "x-*", target: s3}
"""


@pytest.fixture
def full(tmp_path: Path) -> Path:
    file = tmp_path / "full.yaml"
    file.write_text(FULL)
    return file


def test_a_configuration_in_order(run, full: Path) -> None:
    result = run("check", "--config", full)
    assert (result.exit_code, result.stdout) == (0, "")
    assert re.fullmatch(rf"{re.escape(str(full))}: ok \(digest [0-9a-f]{{16}}\)\n", result.stderr)


def test_the_digest_is_whole_in_json_and_none_with_errors(run, full: Path) -> None:
    digest = json.loads(run("check", "--config", full, "--format", "json").stdout)["digest"]
    assert f"(digest {digest[:16]})" in run("check", "--config", full).stderr
    full.write_text("routr: 1")
    assert json.loads(run("check", "--config", full, "--format", "json").stdout)["digest"] is None


def test_without_identities_it_is_said_who_may_connect(run) -> None:
    """D1: a note, so that --strict passes the seed's first example; off loopback a warning."""
    result = run("check", "--strict", "--config", BASIC)
    assert result.exit_code == 0
    assert result.stdout == (
        f"{BASIC}:1:1: auth.identities: warning: is not set: clients must sign with the key of "
        "lakefs, and reach every target (give each client a key of its own)\n"
    )


def test_problems_are_lines_on_stdout(run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("routr: 1\ns3: {access_key_id: A, secret_access_key: hidden}\n")
    result = run("check", "-c", file)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{file}:1:1: routr: unknown key (did you mean router?)",
        f"{file}:1:1: lakefs: warning: endpoint, access_key_id and secret_access_key are not set; "
        "no rule leads here",
        f"{file}:2:1: s3.region: warning: is not set, us-east-1 is assumed "
        "(set region or AWS_REGION)",
    ]
    assert result.stderr == f"{file}: 1 error, 2 warnings\n"


def test_problems_as_json(run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("s3: {region: a}\nrouting: {default_target: s4}\n")
    result = run("check", "-c", file, "--format", "json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["ok"] is False
    assert report["problems"][-1] == {
        "file": str(file),
        "line": 2,
        "column": 27,
        "path": "routing.default_target",
        "message": "'s4' is no target",
        "suggestion": "known: lakefs or s3",
        "severity": "error",
    }


def test_a_missing_file(run, tmp_path: Path) -> None:
    result = run("check", "-c", tmp_path / "none.yaml")
    assert result.exit_code == 1
    assert result.stdout == (
        f"{tmp_path}/none.yaml:1:1: file: cannot be read: No such file or directory\n"
    )


def test_strict_refuses_warnings_but_not_what_nothing_needs(run, tmp_path: Path) -> None:
    file = tmp_path / "warn.yaml"
    keys = "access_key_id: A, secret_access_key: hidden"
    file.write_text(f"s3: {{{keys}}}\n")
    assert run("check", "-c", file).exit_code == 0
    assert run("check", "-c", file, "--strict").exit_code == 1
    file.write_text(f"s3: {{region: a, {keys}}}\n")
    strict = run("check", "-c", file, "--strict")
    assert strict.exit_code == 0
    assert "no rule leads here" in strict.stdout


def test_the_environment_is_chosen_by_flag_or_variable(run) -> None:
    file = SEED / "07-environment-routing.yaml"
    lakefs = {
        "LAKEFS_ENDPOINT": "http://localhost:8000",
        "LAKEFS_ACCESS_KEY_ID": "a",
        "LAKEFS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
    }
    assert run("check", "-c", file, **lakefs).exit_code == 1
    assert run("check", "-c", file, "--environment", "production", **lakefs).exit_code == 0
    assert run("check", "-c", file, ENVIRONMENT="development", **lakefs).exit_code == 0
    assert run("check", "-c", file, S3GATEWAY_ENVIRONMENT="production", **lakefs).exit_code == 0


def test_flags_are_part_of_what_is_checked(run) -> None:
    result = run("check", "-c", BASIC, "--listen", "0.0.0.0:8080")
    assert result.exit_code == 1
    assert "published example keys" in result.stdout


def test_no_colour_where_nobody_looks(run, tmp_path: Path) -> None:
    assert "\x1b" not in run("check", "-c", tmp_path / "none.yaml").stdout


def test_config_prints_yaml_without_secrets(run, full: Path) -> None:
    result = run("config", "-c", full)
    assert result.exit_code == 0
    assert 'endpoint: "http://127.0.0.1:8000"\n' in result.stdout
    assert "hidden" not in result.stdout
    with_origin = run("config", "-c", full, "--origin", "--listen", "127.0.0.1:1").stdout
    assert 'listen_address: ["127.0.0.1:1"]  # --listen\n' in with_origin
    as_json = json.loads(run("config", "-c", full, "--json", "--listen", "127.0.0.1:1").stdout)
    assert as_json["configuration"]["router"]["listen_address"] == ["127.0.0.1:1"]
    assert as_json["origins"]["router.listen_address"] == "--listen"
    assert "hidden" not in json.dumps(as_json)


def test_commands_that_need_a_configuration_say_what_is_wrong_with_it(run, tmp_path: Path) -> None:
    for arguments in (["config"], ["explain", "bucket"]):
        result = run(*arguments, "-c", tmp_path / "none.yaml")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "file: cannot be read" in result.stderr


def test_against_another_configuration(run, full: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    new.write_text(FULL.replace('"x-*", target: s3', '"x-*", target: lakefs'))
    result = run("check", "-c", new, "--against", full)
    assert result.exit_code == 0
    warning = "x-*: reads do not look at s3 any more: objects that are only there are not found"
    table, moved, *said = result.stdout.splitlines()
    assert table.split() == ["pattern", "reads", "writes"]
    assert moved.split() == ["x-*", "s3", "->", "lakefs", "the", "same"]
    assert said == [f"warning: {warning} (copy them first, or keep s3 as a fallback)"]
    assert run("check", "-c", new, "--against", full, "--strict").exit_code == 1
    report = json.loads(run("check", "-c", new, "--against", full, "--format", "json").stdout)
    assert (report["ok"], len(report["moves"]), report["notes"]) == (True, 1, [])
    assert report["warnings"][0].startswith(warning)


def test_against_itself(run, full: Path) -> None:
    result = run("check", "-c", full, "--against", full, "--strict")
    assert (result.exit_code, result.stdout) == (0, "no bucket's requests move\n")


def test_against_one_with_errors(run, full: Path, tmp_path: Path) -> None:
    """The problems of the older one go to standard error: they are not of what is checked."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("routr: 1")
    result = run("check", "-c", full, "--against", bad)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "bad.yaml:1:1: routr: unknown key" in result.stderr
