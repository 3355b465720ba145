"""What a load gives besides problems: boot settings, rules with their lines, the snapshot."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from fastpath.limits import Limits, PoolLimits, Timeouts
from fastpath.routing.snapshot import load_snapshot
from fastpath.s3.operations import OPERATIONS, expand
from gateway.config.compile import compile_snapshot
from gateway.config.cpu_count import cpu_limit, usable_processors
from tests.doubles.rules import asked
from tests.unit.gateway.config.loading import LAKEFS, S3, Desk

FULL = f"""
router: {{listen_address: ["127.0.0.1:1", "[::1]:0"], workers: 3, domains: [S3.Example.com]}}
auth:
  identities:
    - name: analytics
      access_key_id: AKID3
      secret_access_key: hidden-3
      allow: [{{buckets: ["a-*"], actions: [GetObject]}}]
      show_decisions: true
      credentials: {{lakefs: {{access_key_id: AKID4, secret_access_key: hidden-4}}}}
{S3}{LAKEFS}
routing:
  default_target: s3
  rules:
    - pattern: "critical-*"
      operations: [PUT, list]
      identities: [analytics]
      target: lakefs
      description: "versioned"
    - {{pattern: "x", target: s3}}
    - pattern: "team-{{team}}"
      keys: ["raw/*", "log"]
      target: s3
      rewrite: {{bucket: teams, key_prefix: "{{team}}/"}}
"""


def test_the_boot_settings_of_a_bare_file(desk: Desk) -> None:
    assert desk.load(S3).boot() == {
        "listen": [["127.0.0.1", 8080]],
        "listen_tls": [],
        "admin": ["127.0.0.1", 9090],
        "admin_tls": False,
        "workers": usable_processors(),
        "drain_seconds": 30.0,
        "connections": Limits().connections,
        "backlog": 2048,
        "access_log": "-",
        "log_format": "text",
        "log_level": "info",
    }


def test_flags_reach_the_boot_settings(desk: Desk) -> None:
    boot = desk.load(
        FULL,
        drain_seconds=0.0,
        access_log="off",
        log_format="json",
        log_level="debug",
        workers=None,
        listen=None,
    ).boot()
    assert boot["listen"] == [["127.0.0.1", 1], ["::1", 0]]
    assert (boot["workers"], boot["drain_seconds"]) == (3, 0.0)
    assert (boot["access_log"], boot["log_format"], boot["log_level"]) == ("off", "json", "debug")


def test_a_broken_configuration_boots_nothing(desk: Desk) -> None:
    with pytest.raises(ValueError, match="boots nothing"):
        desk.load("nonsense: 1\n").boot()


def test_the_snapshot_is_the_document_that_workers_read(desk: Desk) -> None:
    model = desk.model(FULL)
    credentials = {"s3": {"access_key_id": "A", "secret_access_key": "s", "token": "t"}}
    document = compile_snapshot(model, credentials)
    rules = document.pop("rules")
    targets = document.pop("targets")
    assert document == {
        "format": 4,
        "environment": None,
        "domains": ["s3.example.com"],
        "auth": {
            "mode": "sigv4",
            "sigv2": "presigned",
            "regions": [],
            "anonymous": "deny",
            "cors": None,
            "show_decisions": False,
        },
        "limits": asdict(Limits()),
        "certificate": None,
        "seal_keys": ["8d433cd340f3b1fd421c470e00654659e19ca8f16a3aea71b84517331e4af9ce"],
        "identities": [
            {
                "name": "analytics",
                "keys": [{"access_key_id": "AKID3", "secret_access_key": "hidden-3"}],
                "targets": None,
                "allow": [{"buckets": ["a-*"], "operations": ["GetObject"]}],
                "credentials": {"lakefs": "lakefs/analytics"},
                "show_decisions": True,
            }
        ],
        "credentials": {
            **credentials,
            "lakefs/analytics": {
                "access_key_id": "AKID4",
                "secret_access_key": "hidden-4",
                "token": None,
            },
        },
        "default_target": "s3",
        "fallback": {"targets": [], "passes": []},
        "custom": None,
        "list_buckets_failure": "skip",
        "trusted_proxies": [],
        "log": {"sample": 1.0, "slow_seconds": 1.0},
    }
    assert [(rule.number, rule.line) for rule in model.rules] == [(1, 17), (2, 22), (3, 23)]
    assert rules == {
        "exact": {"x": 2},
        "prefixes": {"critical-": 1},
        "globs": {"team-": [[3, "team-{team}"]]},
        "lengths": [5, 9],
        "kinds": [
            ["lakefs", 0, 0, None, None, None, None],
            ["s3", None, None, None, None, None, None],
            ["s3", None, None, 0, 0, None, None],
        ],
        "kind_of": [0, 1, 2],
        "operations": [sorted(expand("PUT") | expand("list"))],
        "identities": [["analytics"]],
        "keys": [["log", "raw/*"]],
        "rewrites": [["teams", "{team}/", "", "team-{team}"]],
        "conditions": [],
        "zones": [],
        "fallbacks": [],
    }
    assert targets[1] == {
        "name": "s3",
        "profile": "s3",
        "profile_overrides": {},
        "host": "127.0.0.1",
        "port": 9000,
        "authority": "127.0.0.1:9000",
        "virtual": False,
        "forgets": "refuse",
        "region": "us-east-1",
        "credentials": "s3",
        "tls": None,
        "pool": asdict(PoolLimits()),
        "timeouts": asdict(Timeouts()),
    }
    assert targets[0]["credentials"] is None  # lakefs: none were resolved


def test_the_snapshot_survives_json_and_loads_in_a_worker(desk: Desk) -> None:
    document = json.loads(json.dumps(compile_snapshot(desk.model(FULL), {})))
    snapshot = load_snapshot(7, {**document, "instance": "x"})
    assert set(snapshot.targets) == {"s3", "lakefs"}
    assert (
        snapshot.routing.plan(b"critical-1")
        .decide(asked(b"critical-1", "PutObject", "analytics"))
        .rule
        == 1
    )


def test_an_https_target_tells_workers_its_name_and_no_default_port(desk: Desk) -> None:
    document = compile_snapshot(desk.model("s3: {region: eu-west-1}\n"), {})
    (target,) = document["targets"]
    assert target["authority"] == target["host"] == "s3.eu-west-1.amazonaws.com"
    assert target["tls"] == {
        "verify": True,
        "ca_pem": None,
        "cert_pem": None,
        "key_pem": None,
        "server_name": "s3.eu-west-1.amazonaws.com",
    }


def test_what_no_rule_reaches_is_there_for_uploads_that_began_there(desk: Desk) -> None:
    document = compile_snapshot(desk.model(S3 + LAKEFS), {})
    assert sorted(target["name"] for target in document["targets"]) == ["lakefs", "s3"]


def test_what_nothing_can_reach_is_in_no_part_of_the_snapshot(desk: Desk) -> None:
    document = compile_snapshot(desk.model(f"{S3}lakefs: {{endpoint: 'http://h'}}\n"), {})
    assert [target["name"] for target in document["targets"]] == ["s3"]


def test_every_class_and_method_may_stand_in_a_rule(desk: Desk) -> None:
    for word in ("read", "write", "list", "delete", "admin", "GET", "HEAD", "POST", "GetObject"):
        text = S3 + f"routing: {{rules: [{{pattern: a, target: s3, operations: [{word}]}}]}}\n"
        assert desk.model(text).rules[0].operations == expand(word)
    assert expand("read") < set(OPERATIONS)


def test_a_thousand_rules_that_could_cover_each_other_are_compared_in_time(desk: Desk) -> None:
    rows = "".join(f"    - {{pattern: '*-{n}-*', target: s3}}\n" for n in range(1000))
    assert len(desk.model(f"{S3}routing:\n  rules:\n{rows}").rules) == 1000


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_the_limit_of_a_container(tmp_path: Path, files: dict[str, str], limit) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert cpu_limit(tmp_path) == limit
    if limit is not None:
        assert usable_processors(tmp_path) in (1, 2)
