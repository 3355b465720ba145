"""The configuration's reference says what the model says, of every setting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config.load import load
from gateway.supervisor import boot_settings
from website.generate import made, main
from website.settings import READ_AT_THE_START, Setting, every, forgotten, root

SETTINGS = {setting.path: setting for setting in every(root())}


def test_every_setting_says_what_it_means() -> None:
    assert len(SETTINGS) > 130
    assert [path for path, setting in SETTINGS.items() if not setting.meaning] == []
    assert [path for path, setting in SETTINGS.items() if setting.meaning[-1] not in ".:`"] == []


@pytest.mark.parametrize("path", made(), ids=lambda path: path.name)
def test_what_is_generated_is_current(path: Path) -> None:
    assert path.read_text() == made()[path], "python -m website.generate"


def test_generating_tells_of_what_is_stale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "reference" / "page.md"
    monkeypatch.setattr("website.generate.made", lambda: {page: "new"})
    assert main(["--check"]) == 1
    assert capsys.readouterr().err == f"{page}: not current: python -m website.generate\n"
    assert (main([]), page.read_text()) == (0, "new")
    assert main(["--check"]) == 0


@pytest.mark.parametrize(
    ("path", "kind", "unit", "default", "variables"),
    [
        ("router.workers", "`auto` or a whole number from 1 to 256", "", "`auto`", 2),
        ("router.log.sample", "number from 0 to 1", "", "`1.0`", 0),
        ("router.limits.connection_seconds", "number, 0: off", "seconds", "`3600.0`", 0),
        ("targets.*.pool.identity_percent", "whole number from 1 to 100", "percent", "`90`", 0),
        ("targets.*.region", "region", "", "`us-east-1`", 2),
        ("targets.*.forgets", "`refuse` or `drop`", "", "`refuse`", 0),
        ("targets.*.health", "section or `off`", "", "none", 0),
        ("auth.identities[].allow[].buckets", "list: glob", "", '`["*"]`', 0),
        ("auth.identities[].secret_access_key", "secret text", "", "none", 0),
        ("routing.fallback_on", "`404`, `5xx`, `timeout`, `refused`, or a list", "", "`[404]`", 0),
        ("routing.rules[].pattern", "glob with named parts", "", "required", 0),
        ("routing.rules[].operations", "list: operation, HTTP method or class", "", "all", 0),
    ],
)
def test_type_unit_and_default_come_from_the_field(
    path: str, kind: str, unit: str, default: str, variables: int
) -> None:
    one = SETTINGS[path]
    found = (one.kind, one.unit, one.default, len(one.variables))
    assert found == (kind, unit, default, variables)


# Other values than the defaults, for each setting that is read at the start, and for many others.
CHANGED: dict[str, Any] = {
    "router.listen_address": {"router": {"listen_address": "127.0.0.1:1"}},
    "router.tls.listen_address": {"router": {"tls": {"listen_address": "127.0.0.1:2"}}},
    "router.admin_address": {"router": {"admin_address": "off"}},
    "router.workers": {"router": {"workers": 3}},
}
OTHERS = {
    "router": {
        "trusted_proxies": ["10.0.0.0/8"],
        "watch": True,
        "log": {"sample": 0.5, "slow_seconds": 2},
        "domains": ["s3.example.com"],
        "limits": {
            name.rpartition(".")[2]: 1
            for name, setting in SETTINGS.items()
            if name.startswith("router.limits.") and not setting.at_start
        },
    },
    "admin": {"token": "t" * 32, "hosts": ["gateway.example.com"]},
    "auth": {"sigv2": "off", "show_decisions": True, "anonymous": "forward"},
    "routing": {"default_target": "s3", "list_buckets_failure": "refuse"},
}


def _boot(tmp_path: Path, document: dict[str, Any]) -> boot_settings.Boot:
    file = tmp_path / "gateway.json"
    file.write_text(json.dumps(document))
    loaded = load({"config": str(file)}, {})
    assert loaded.model is not None, loaded.problems
    return boot_settings.parse(json.dumps(loaded.boot()).encode())


def _with_tls(document: dict[str, Any], files: tuple[Path, Path]) -> dict[str, Any]:
    tls = document.get("router", {}).get("tls", {})
    tls |= {"cert_file": str(files[0]), "key_file": str(files[1])}
    return {**document, "router": {**document.get("router", {}), "tls": tls}}


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    import trustme

    issued = trustme.CA().issue_cert("localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    return cert, key


def test_what_is_read_at_the_start_is_what_the_supervisor_reads_once(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    assert forgotten() == []
    starting = {path for paths in READ_AT_THE_START.values() for path in paths or ()}
    assert starting <= SETTINGS.keys()
    assert {path for path, setting in SETTINGS.items() if setting.at_start} == starting
    plain, secure = _boot(tmp_path, {}), _boot(tmp_path, _with_tls({}, certificate))
    for path, document in CHANGED.items():
        is_tls = "tls" in document["router"]
        changed = _boot(tmp_path, _with_tls(document, certificate) if is_tls else document)
        assert (secure if is_tls else plain).differences(changed) == [path]
    assert plain.differences(secure) == ["router.tls.listen_address"]
    admin = {"tls": {"cert_file": str(certificate[0]), "key_file": str(certificate[1])}}
    assert plain.differences(_boot(tmp_path, {"admin": admin})) == ["admin.tls"]
    assert starting == {*CHANGED, "router.tls", "admin.tls"}


def test_what_a_reload_puts_in_force_is_not_among_them(tmp_path: Path) -> None:
    assert _boot(tmp_path, {}).differences(_boot(tmp_path, OTHERS)) == []


def test_a_section_that_several_hold_is_told_at_each() -> None:
    def of(path: str) -> Setting:
        return SETTINGS[path]

    name = "access_key_id"
    ours, theirs = of(f"targets.*.{name}"), of(f"auth.identities[].keys[].{name}")
    assert ours.meaning == theirs.meaning
    assert ours.variables == ("LAKEFS_ACCESS_KEY_ID (lakefs)",)
    assert theirs.variables == ()
