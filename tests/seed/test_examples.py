"""The seed's Python examples, run as they stand against a live gateway and two real servers.

Rules: an example's text is not touched but for its endpoints; the gateway knows the example's own
key pair; what an example lacks is supplied before it and what it leaves out is done after it, and
each test says what. What landed is read from the servers directly.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.demo.seaweed import Keys
from tests.compat.live import configuration, read_directly, s3_client, stores
from tests.compat.shared import Store
from tests.process.harness import Gateway

__all__ = ["stores"]  # a fixture

FILES = Path(__file__).parent / "files"
KEYS = Keys("your-aws-access-key", "your-aws-secret-key")  # the seed's own
ENDPOINTS = ("http://127.0.0.1:8080", "http://s3-router.prod.example.com:8080")

Run = Callable[..., str]


@pytest.fixture(scope="module")
def gateway(stores: dict[str, Store]) -> Iterator[Gateway]:
    """A gateway on the seed's basic rules."""
    basic = yaml.safe_load((FILES / "02-basic-config.yaml").read_text())
    document = {**configuration(stores, KEYS), "routing": basic["routing"]}
    with Gateway.start(document, admin="127.0.0.1:0") as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> Any:
    return s3_client(gateway.url, KEYS)


@pytest.fixture
def run(gateway: Gateway, tmp_path: Path) -> Run:
    """Run an example in a process of its own; return what it printed."""

    def run(
        name: str,
        before: str = "",
        after: str = "",
        until: str = "",
        within: tuple[str, str] = ("", ""),
        **environ: str,
    ) -> str:
        source = (FILES / name).read_text()
        if within[0]:
            assert source.count(within[0]) == 1
            source = source.replace(within[0], f"{within[1]}\n{within[0]}")
        if until:
            assert source.count(until) == 1
            source = source.partition(until)[0]
        for endpoint in ENDPOINTS:
            source = source.replace(endpoint, gateway.url)
        program = tmp_path / name
        program.write_text(f"{before}\n{source}\n{after}\n")
        done = subprocess.run(
            [sys.executable, str(program)],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "PYTHONIOENCODING": "utf-8",
                "AWS_ACCESS_KEY_ID": KEYS.access_key_id,
                "AWS_SECRET_ACCESS_KEY": KEYS.secret_access_key,
                "AWS_DEFAULT_REGION": "us-east-1",
                **environ,
            },
            input="\n" * 10,
            capture_output=True,
            text=True,
            timeout=50,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def client_code(gateway: Gateway) -> str:
    """What several examples take as given: a client named `s3_client`."""
    return f"import boto3\ns3_client = boto3.client('s3', endpoint_url='{gateway.url}')\n"


def create(client: Any, *buckets: str) -> None:
    for bucket in buckets:
        client.create_bucket(Bucket=bucket)


def test_04_writes_to_two_stores_through_one_endpoint(
    run: Run, client: Any, stores: dict[str, Store]
) -> None:
    """Supplied: the buckets."""
    create(client, "lakefs-data-repo", "traditional-s3-bucket")
    run("04-boto3-client.py")
    lakefs, s3 = stores["lakefs"], stores["s3"]
    one, two = (
        ("lakefs-data-repo", "main/data/file.txt"),
        ("traditional-s3-bucket", "data/file.txt"),
    )
    assert read_directly(lakefs, *one) == b"Hello from lakeFS!"
    assert read_directly(s3, *one) is None
    assert read_directly(s3, *two) == b"Hello from S3!"
    assert read_directly(lakefs, *two) is None


def test_08_migrates_between_two_stores(run: Run, client: Any, stores: dict[str, Store]) -> None:
    """Supplied: buckets, objects that both repositories have. More: test_migration.py."""
    buckets = ("lakefs-new-repo", "lakefs-source-repo", "lakefs-target-repo")
    create(client, "old-s3-bucket", *buckets)
    client.put_object(Bucket="old-s3-bucket", Key="a/b", Body=b"old")
    for bucket in buckets[1:]:
        client.put_object(Bucket=bucket, Key="main/there", Body=b"same")
    assert run("08-hybrid-data-manager.py").splitlines() == [
        "Starting migration: old-s3-bucket → lakefs-new-repo",
        "Migration completed: 1 objects migrated",
    ]
    assert read_directly(stores["lakefs"], "lakefs-new-repo", "main/a/b") == b"old"


def test_08_copies_within_one_target(run: Run, client: Any, stores: dict[str, Store]) -> None:
    """Supplied: the buckets; a usage that stays on one target, instead of the example's own."""
    create(client, "lakefs-one", "lakefs-two")
    client.put_object(Bucket="lakefs-one", Key="a", Body=b"copied")
    usage = "HybridDataManager(s3_client).migrate_bucket_to_lakefs('lakefs-one', 'lakefs-two')"
    printed = run("08-hybrid-data-manager.py", after=usage, until="# Usage")
    assert printed.endswith("Migration completed: 1 objects migrated\n")
    assert read_directly(stores["lakefs"], "lakefs-two", "main/a") == b"copied"


def test_09_stores_by_environment(run: Run, client: Any, stores: dict[str, Store]) -> None:
    """Supplied: `datetime`, `parquet_data`, the buckets of production."""
    create(client, "lakefs-prod-users", "lakefs-prod-analytics")
    before = "from datetime import datetime\nparquet_data = b'PAR1'"
    printed = run("09-multi-environment-client.py", before, ENVIRONMENT="production")
    assert "Stored user data in lakefs-prod-users/main/users/user123/profile.json" in printed
    stored = read_directly(stores["lakefs"], "lakefs-prod-users", "main/users/user123/profile.json")
    assert stored == b'{"name": "John", "email": "john@example.com"}'
    key = printed.split("lakefs-prod-analytics/")[1].strip()
    assert read_directly(stores["lakefs"], "lakefs-prod-analytics", key) == b"PAR1"


# What the example leaves to the router's API: the decision, asked of the admin plane.
ACCURACY = """
def _test_routing_accuracy(self):
    import json, urllib.parse, urllib.request
    for bucket, expected_target in [('lakefs-test', 'lakefs'), ('s3-test', 's3')]:
        query = urllib.parse.urlencode({'bucket': bucket, 'operation': 'GetObject'})
        with urllib.request.urlopen(f'{ADMIN}/api/decision?{query}') as answer:
            if json.load(answer)['target'] != expected_target:
                return False
    return True
RouterMonitor._test_routing_accuracy = _test_routing_accuracy
"""
# Two minutes of the example's clock in two seconds.
FAST_CLOCK = """
import time
began, real = time.time(), time.time
time.time = lambda: began + 60 * (real() - began)
"""


def test_11_finds_the_gateway_healthy(run: Run, client: Any, gateway: Gateway) -> None:
    """Supplied: the buckets it looks for, a clock that runs faster, and its missing method."""
    create(client, "lakefs-health-check", "s3-health-check")
    admin = gateway.wait_for_log(r"admin plane on (\S+)")[1]
    complete = f"ADMIN = {admin!r}\n{ACCURACY}"
    printed = run("11-router-monitor.py", FAST_CLOCK, within=("# Usage", complete)).splitlines()
    assert printed[:5] == [
        "Health Check Results:",
        " router_connectivity: ✓",
        " lakefs_connectivity: ✓",
        " s3_connectivity: ✓",
        " routing_accuracy: ✓",
    ]
    assert printed[5:8] == ["", "Monitoring performance for 2 minutes...", "Performance Results:"]
    total = int(printed[8].removeprefix(" Total Requests: "))
    assert total >= 2
    assert printed[9] == f" Success Rate: {total}/{total}"
    with urllib.request.urlopen(f"{admin}/api/stats") as answer:
        found = json.load(answer)
    assert found["total_requests"] >= total
    assert found["successful_requests"] + found["failed_requests"] == found["total_requests"]
    assert found["average_response_time"] > 0
    assert set(found["routing_distribution"]) >= {"lakefs", "s3"}


def test_11_sees_a_rule_that_leads_elsewhere(run: Run, client: Any, gateway: Gateway) -> None:
    """The check can fail: here it expects what no rule says."""
    admin = gateway.wait_for_log(r"admin plane on (\S+)")[1]
    wrong = ACCURACY.replace("('s3-test', 's3')", "('s3-test', 'lakefs')")
    check = "print(RouterMonitor(monitor_of)._test_routing_accuracy())"
    complete = f"ADMIN = {admin!r}\nmonitor_of = {gateway.url!r}\n{wrong}\n{check}\nquit()"
    assert run("11-router-monitor.py", within=("# Usage", complete)).splitlines() == ["False"]


def test_12_reads_and_writes_as_before(run: Run, client: Any, stores: dict[str, Store]) -> None:
    """Supplied: `process_csv`, the input, the buckets; the call that the example leaves out."""
    create(client, "lakefs-data-bucket", "lakefs-results-bucket")
    client.put_object(Bucket="lakefs-data-bucket", Key="main/input/data.csv", Body=b"a,b")
    run("12-pure-s3-to-hybrid.py", "process_csv = bytes.upper", "process_data()")
    found = read_directly(stores["lakefs"], "lakefs-results-bucket", "main/output/processed.csv")
    assert found == b"A,B"


def test_13_goes_through_its_phases(run: Run, client: Any, gateway: Gateway) -> None:
    """Supplied: `s3_client`, the buckets, and Enter for its questions. More: test_migration.py."""
    create(client, *(f"old-bucket-{number}" for number in (1, 2, 3)))
    create(client, *(f"lakefs-repo-{number}" for number in (1, 2, 3)))
    printed = run("13-gradual-migration-manager.py", client_code(gateway))
    for number in (1, 2, 3):
        assert f"✓ Migration completed: old-bucket-{number}" in printed


def test_14_finds_no_issue(run: Run, client: Any, gateway: Gateway) -> None:
    """Supplied: `os`, `s3_client`, the buckets, the two variables it asks for."""
    create(client, "lakefs-test", "s3-test")
    before = "import os\n" + client_code(gateway)
    printed = run(
        "14-diagnose-router-issues.py", before, LAKEFS_ENDPOINT="x", AWS_REGION="us-east-1"
    )
    assert printed.splitlines() == [
        "✓ Router connectivity OK",
        "✓ Should route to lakeFS",
        "✓ Should route to S3",
        "✓ All checks passed",
    ]


def test_15_makes_a_client_that_works(run: Run, client: Any, stores: dict[str, Store]) -> None:
    """Supplied: the bucket; the use of the client that the example ends with."""
    create(client, "tuned-bucket")
    use = "s3_client.put_object(Bucket='tuned-bucket', Key='k', Body=b'tuned')"
    run("15-performance-optimization.py", after=use)
    assert read_directly(stores["s3"], "tuned-bucket", "k") == b"tuned"
