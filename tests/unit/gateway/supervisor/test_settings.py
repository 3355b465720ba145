"""What the supervisor is told once: boot settings and times."""

from __future__ import annotations

import json

import pytest

from gateway.supervisor import boot_settings, timeouts

BOOT: dict[str, object] = {
    "listen": [["127.0.0.1", 8080], ["::1", 8080]],
    "listen_tls": [["::1", 8443]],
    "admin": ["::1", 9090],
    "admin_tls": True,
    "workers": 4,
    "drain_seconds": 30,
    "connections": 20000,
    "backlog": 2048,
    "access_log": "-",
    "log_format": "text",
    "log_level": "info",
}


def _parsed(**changes: object) -> boot_settings.Boot:
    return boot_settings.parse(json.dumps({**BOOT, **changes}).encode())


def test_boot_settings_are_read() -> None:
    settings = _parsed()
    assert settings.listen == (("127.0.0.1", 8080), ("::1", 8080))
    assert settings.listen_tls == (("::1", 8443),)
    assert settings.admin == ("::1", 9090)
    assert _parsed(admin=None).admin is None
    assert settings.drain_seconds == 30.0


@pytest.mark.parametrize("name", sorted(BOOT))
def test_every_boot_setting_is_needed(name: str) -> None:
    rest = {key: value for key, value in BOOT.items() if key != name}
    with pytest.raises(boot_settings.BootFault):
        boot_settings.parse(json.dumps(rest).encode())


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"null", b'"x"'])
def test_garbage_is_no_boot_setting(payload: bytes) -> None:
    with pytest.raises(boot_settings.BootFault):
        boot_settings.parse(payload)


def test_differences_are_named() -> None:
    assert _parsed().differences(_parsed()) == []
    changed = _parsed(workers=5, log_level="debug")
    assert _parsed().differences(changed) == ["router.workers", "--log-level"]


def test_what_a_reload_puts_in_force_is_no_difference() -> None:
    assert _parsed().differences(_parsed(connections=7)) == []


def test_times_have_defaults() -> None:
    assert timeouts.read({"S3GATEWAY_HEARTBEAT_SECONDS": ""}) == timeouts.Timeouts()


def test_a_time_is_read() -> None:
    assert timeouts.read({"S3GATEWAY_HEARTBEAT_SECONDS": "0.5"}).heartbeat_seconds == 0.5


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1e9"])
def test_a_bad_time_is_named(text: str) -> None:
    with pytest.raises(timeouts.TimeoutsError, match="S3GATEWAY_BOOT_SECONDS"):
        timeouts.read({"S3GATEWAY_BOOT_SECONDS": text})
