"""The seed's migration, run as it stands: from S3 to lakeFS through one endpoint, object by object.

Rules: an example's text is not touched but for its endpoint, and runs in the process of the test,
so that a test can stand between its classes and its usage, supply what it leaves empty, and watch
the gateway reload. S3 is moto, with pages of few keys; lakeFS is the double. What arrived is looked
up in the double.
"""

from __future__ import annotations

import io
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError

from gateway.demo.seaweed import Keys
from tests.compat.live import MIB, identity, payload, s3_client
from tests.compat.model.world import moto_process
from tests.doubles.lakefs import LakeFS
from tests.doubles.lakefs.store import Blob
from tests.process.harness import Gateway

FILES = Path(__file__).parent / "files"
KEYS = Keys("your-aws-access-key", "your-aws-secret-key")  # the seed's own
ENDPOINT = "http://127.0.0.1:8080"
# The loops meet several pages with few objects.
PAGE = 4
REPOSITORIES = (
    "lakefs-new-repo",
    "lakefs-source-repo",
    "lakefs-target-repo",
    *(f"lakefs-repo-{number}" for number in (1, 2, 3)),
)
BUCKETS = ("old-s3-bucket", *(f"old-bucket-{number}" for number in (1, 2, 3)))


@dataclass(frozen=True, slots=True)
class Sample:
    """An object of an old bucket."""

    body: bytes
    content_type: str = "application/octet-stream"
    metadata: dict[str, str] = field(default_factory=dict)


SAMPLES = {
    "a/b.txt": Sample(b"text", "text/plain; charset=utf-8", {"colour": "blue"}),
    "a/c d+e & f.csv": Sample(b"1,2", "text/csv", {"owner": 'o\'neill, "x" <y>'}),
    "a%20b/100%.bin": Sample(b"\x00\xff"),
    "naïve/日本/é.json": Sample(b"{}", "application/json", {"a": "1", "b-c": "2"}),
    "directory/": Sample(b""),
    "empty": Sample(b"", "application/x-empty"),
    "large.bin": Sample(payload(9 * MIB), "video/mp4", {"parts": "two"}),
    "tilde~/star*(1)!.txt": Sample(b"!" * 70_000, "text/plain"),
}


@pytest.fixture(scope="module", params=[PAGE])
def moto_server(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", str(request.param))
        with moto_process() as url:
            yield url


@pytest.fixture
def moto(moto_server: str) -> str:
    """The address of a moto server that has the old buckets, empty, and nothing else."""
    request = urllib.request.Request(f"{moto_server}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request, timeout=20):
        pass
    client = s3_client(moto_server, KEYS)
    for bucket in BUCKETS:
        client.create_bucket(Bucket=bucket)
    return moto_server


@pytest.fixture
def lakefs() -> Iterator[LakeFS]:
    with LakeFS() as one:
        for repository in REPOSITORIES:
            one.add_repository(repository)
        yield one


@pytest.fixture
def document(moto: str, lakefs: LakeFS) -> dict[str, Any]:
    """The seed's basic configuration, with the addresses and keys of these stores."""
    basic: dict[str, Any] = yaml.safe_load((FILES / "02-basic-config.yaml").read_text())
    ((key_id, secret),) = lakefs.keys.items()
    basic["router"] = {}  # the harness says where to listen
    basic["lakefs"] = {
        "endpoint": lakefs.endpoint,
        "access_key_id": key_id,
        "secret_access_key": secret,
    }
    basic["s3"] |= {"endpoint": moto, "access_key_id": "moto", "secret_access_key": "moto-secret"}
    basic["auth"] = {"identities": [identity("application", KEYS)]}
    return basic


@pytest.fixture
def gateway(document: dict[str, Any]) -> Iterator[Gateway]:
    with Gateway.start(yaml.safe_dump(document, sort_keys=False)) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> Any:
    return s3_client(gateway.url, KEYS)


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The session that `boto3.client` makes clients of, for this test alone."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    fresh = boto3.session.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", fresh)
    return fresh


Names = dict[str, Any]


def run(name: str, url: str, names: Names, supply: Callable[[Names], None] | None = None) -> Names:
    """Run an example; `supply` stands between what it defines and its usage. Return its names."""
    source = (FILES / name).read_text().replace(ENDPOINT, url)
    assert source.count("# Usage\n") == 1
    definitions, mark, usage = source.partition("# Usage\n")
    exec(compile(definitions, name, "exec"), names)
    if supply is not None:
        supply(names)
    exec(compile(mark + usage, name, "exec"), names)
    return names


def run_08(url: str) -> Any:
    """Run the example with its usage; return its manager."""
    return run("08-hybrid-data-manager.py", url, {})["manager"]


def put(client: Any, bucket: str, samples: dict[str, Sample], prefix: str = "") -> None:
    """Upload as boto3 does: what is larger than 8 MiB goes in parts."""
    for key, sample in samples.items():
        said = {"ContentType": sample.content_type, "Metadata": sample.metadata}
        client.upload_fileobj(io.BytesIO(sample.body), bucket, prefix + key, ExtraArgs=said)


def blobs(lakefs: LakeFS, repository: str) -> dict[str, Blob]:
    return lakefs.store.repositories[repository].branches["main"].entries


def stored(lakefs: LakeFS, repository: str) -> dict[str, Sample]:
    """What is on `main` of a repository."""
    return {
        key: Sample(blob.data, blob.content_type, blob.metadata)
        for key, blob in blobs(lakefs, repository).items()
    }


def in_bucket(straight: Any, bucket: str, prefix: str) -> dict[str, Sample]:
    """What is below a prefix of a bucket, by the store itself."""
    found = {}
    pages = straight.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for row in (row for page in pages for row in page["Contents"]):
        got = straight.get_object(Bucket=bucket, Key=row["Key"])
        sample = Sample(got["Body"].read(), got["ContentType"], got["Metadata"])
        found[row["Key"].removeprefix(prefix)] = sample
    return found


def assert_whole(found: dict[str, Sample], wanted: dict[str, Sample]) -> None:
    assert sorted(found) == sorted(wanted)
    for key, sample in wanted.items():
        # Not the samples themselves: pytest would explain megabytes.
        assert found[key].content_type == sample.content_type, key
        assert found[key].metadata == sample.metadata, key
        assert (found[key].body == sample.body) is True, key


def test_08_migrates_each_object_whole(
    gateway: Gateway, client: Any, lakefs: LakeFS, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verbatim. Supplied: objects; those that it synchronises are on both sides already."""
    put(client, "old-s3-bucket", SAMPLES)
    for repository in ("lakefs-source-repo", "lakefs-target-repo"):
        put(client, repository, {"there": Sample(b"same")}, "main/")
    run_08(gateway.url)
    assert capsys.readouterr().out.splitlines() == [
        "Starting migration: old-s3-bucket → lakefs-new-repo",
        f"Migration completed: {len(SAMPLES)} objects migrated",
    ]
    assert_whole(stored(lakefs, "lakefs-new-repo"), SAMPLES)


def test_08_tells_of_the_object_that_lakefs_cannot_hold_and_goes_on(
    gateway: Gateway, client: Any, lakefs: LakeFS, capsys: pytest.CaptureFixture[str]
) -> None:
    """Supplied: objects, of which one is compressed. lakeFS keeps no Content-Encoding."""
    put(client, "old-s3-bucket", {"a": Sample(b"a"), "z": Sample(b"z")})
    gzipped = {"Key": "log", "Body": b"\x1f\x8b", "ContentEncoding": "gzip"}
    client.put_object(Bucket="old-s3-bucket", **gzipped)
    run_08(gateway.url)
    _, failed, completed = capsys.readouterr().out.splitlines()
    assert failed.startswith("Failed to migrate log: An error occurred (NotImplemented)")
    assert completed == "Migration completed: 2 objects migrated"
    assert sorted(stored(lakefs, "lakefs-new-repo")) == ["a", "z"]


def test_08_synchronising_ends_at_a_missing_object_as_it_does_on_s3(
    gateway: Gateway, client: Any, moto: str, lakefs: LakeFS
) -> None:
    """The example is wrong: it waits for NoSuchKey, which HeadObject never raises.

    An answer to a HEAD has no body that could hold a code, so that boto3 has the status alone. The
    same program ends in the same way at a store without a gateway.
    """
    straight = s3_client(moto, KEYS)
    for bucket in ("lakefs-source-repo", "lakefs-target-repo"):
        straight.create_bucket(Bucket=bucket)
    ends = []
    for filler, url in ((straight, moto), (client, gateway.url)):
        put(filler, "lakefs-source-repo", {"new": Sample(b"new")}, "main/")
        with pytest.raises(ClientError, match="HeadObject") as ended:
            run_08(url)
        assert type(ended.value) is ClientError
        ends.append((str(ended.value), ended.value.response["Error"]))
    assert ends[0] == ends[1]
    assert ends[0][1]["Code"] == "404"
    assert stored(lakefs, "lakefs-target-repo") == {}


def name_missing_keys(parsed: dict[str, Any], **_: object) -> None:
    """Make boto3 raise NoSuchKey for a HeadObject too, as the example has it."""
    if parsed.get("Error", {}).get("Code") == "404":
        parsed["Error"]["Code"] = "NoSuchKey"


def test_08_synchronises_what_is_missing(
    gateway: Gateway,
    client: Any,
    moto: str,
    lakefs: LakeFS,
    session: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Verbatim, then between two stores, both ways. Supplied: NoSuchKey for a HeadObject."""
    session.events.register("after-call.s3.HeadObject", name_missing_keys)
    put(client, "lakefs-source-repo", SAMPLES, "main/")
    put(client, "lakefs-target-repo", {"empty": Sample(b"other")}, "main/")
    manager = run_08(gateway.url)
    printed = capsys.readouterr().out.splitlines()
    missing = sorted(SAMPLES.keys() - {"empty"}, key=str.encode)
    assert printed[2:] == [f"Synced: main/{key}" for key in missing]
    wanted = {**SAMPLES, "empty": Sample(b"other")}
    assert_whole(stored(lakefs, "lakefs-target-repo"), wanted)

    manager.sync_repositories("lakefs-target-repo", "old-bucket-1")
    assert_whole(in_bucket(s3_client(moto, KEYS), "old-bucket-1", "main/"), wanted)
    # The example asks for one page, which is all of a repository here, and a part of a bucket.
    manager.sync_repositories("old-bucket-1", "lakefs-repo-1")
    first = sorted(wanted, key=str.encode)[:PAGE]
    assert_whole(stored(lakefs, "lakefs-repo-1"), {key: wanted[key] for key in first})


@pytest.fixture
def unmoved(document: dict[str, Any]) -> Iterator[Gateway]:
    """A gateway before the migration: no rule leads to lakeFS."""
    document["routing"]["rules"] = [{"pattern": "*", "target": "s3"}]
    with Gateway.start(yaml.safe_dump(document, sort_keys=False)) as running:
        yield running


def with_rule(text: str, repository: str) -> str:
    """The text of a configuration with a rule for a repository before all others."""
    assert text.count("  rules:\n") == 1
    rule = f"  - pattern: {repository}\n    target: lakefs\n"
    return text.replace("  rules:\n", f"  rules:\n{rule}")


def supply_13(gateway: Gateway, names: Names) -> None:
    """Supply what the example leaves to its reader: the routing, and the copying of example 08."""

    def update(_: object, repository: str) -> None:
        assert gateway.reload(with_rule(gateway.config_path.read_text(), repository))

    def migrate(manager: Any, bucket: str, repository: str) -> None:
        hybrid: Names = {}
        source = (FILES / "08-hybrid-data-manager.py").read_text().partition("# Usage\n")[0]
        exec(compile(source, "08-hybrid-data-manager.py", "exec"), hybrid)
        hybrid["HybridDataManager"](manager.s3_client).migrate_bucket_to_lakefs(bucket, repository)

    manager = names["GradualMigrationManager"]
    manager._update_routing_config = update
    manager._migrate_bucket_data = migrate


def run_13(gateway: Gateway, client: Any) -> Names:
    """Run the example with its usage. Supplied: its client, Enter for its questions, its hooks."""
    given = {"s3_client": client, "input": lambda _: ""}
    return run("13-gradual-migration-manager.py", gateway.url, given, partial(supply_13, gateway))


def test_13_migrates_phase_by_phase(
    unmoved: Gateway, lakefs: LakeFS, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verbatim. Supplied: objects; the client; the hooks that the example leaves empty."""
    client = s3_client(unmoved.url, KEYS)
    for number in (1, 2, 3):
        put(client, f"old-bucket-{number}", {**SAMPLES, f"only in {number}": Sample(b"1")})
    with pytest.raises(ClientError, match="NoSuchBucket"):  # nothing leads to lakeFS
        client.list_objects_v2(Bucket="lakefs-repo-1")
    found = run_13(unmoved, client)
    assert found["plan"] == {
        "phase_1": {
            "buckets": ["old-bucket-1", "old-bucket-2"],
            "repos": ["lakefs-repo-1", "lakefs-repo-2"],
            "priority": "high",
        },
        "phase_2": {
            "buckets": ["old-bucket-3"],
            "repos": ["lakefs-repo-3"],
            "priority": "medium",
        },
        "phase_3": {"buckets": [], "repos": [], "priority": "low"},
    }
    manager = found["migration_manager"]
    assert manager.migration_status == {f"old-bucket-{n}": "completed" for n in (1, 2, 3)}
    printed = capsys.readouterr().out
    for number in (1, 2, 3):
        assert f"Migration completed: {len(SAMPLES) + 1} objects migrated" in printed
        assert f"✓ Migration completed: old-bucket-{number}\n" in printed
        repository = f"lakefs-repo-{number}"
        wanted = {**SAMPLES, f"only in {number}": Sample(b"1")}
        assert_whole(stored(lakefs, repository), wanted)
        assert manager._count_objects(repository, prefix="main/") == len(wanted)


def test_13_finds_that_an_object_is_missing(
    unmoved: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """Supplied: as above; one object of the second bucket is one that lakeFS cannot hold."""
    client = s3_client(unmoved.url, KEYS)
    for number in (1, 2, 3):
        put(client, f"old-bucket-{number}", {"a": Sample(b"a")})
    client.put_object(Bucket="old-bucket-2", Key="log", Body=b"\x1f\x8b", ContentEncoding="gzip")
    manager = run_13(unmoved, client)["migration_manager"]
    assert manager.migration_status == {
        "old-bucket-1": "completed",
        "old-bucket-2": "failed",
        "old-bucket-3": "completed",
    }
    assert "✗ Migration failed: old-bucket-2\n" in capsys.readouterr().out


def test_13_counts_more_than_a_page_of_lakefs(unmoved: Gateway, lakefs: LakeFS) -> None:
    """lakeFS's pages have 1,000 keys. Without the branch, which the example has, it lists none."""
    entries = blobs(lakefs, "lakefs-repo-1")
    entries |= {f"{number:05}": Blob(b"", "text/plain", {}, '"e"') for number in range(2_001)}
    manager = run_13(unmoved, s3_client(unmoved.url, KEYS))["migration_manager"]
    assert manager._count_objects("lakefs-repo-1", prefix="main/") == 2_001
    assert manager._count_objects("lakefs-repo-1") == 0
    assert not manager._validate_migration("old-bucket-1", "lakefs-repo-1")


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("moto_server", [1_000], indirect=True)  # as S3's pages
def test_08_and_13_agree_about_more_than_a_thousand_objects(
    unmoved: Gateway, lakefs: LakeFS, capsys: pytest.CaptureFixture[str]
) -> None:
    """Supplied: as above."""
    client = s3_client(unmoved.url, KEYS)
    for number in range(1_001):
        client.put_object(Bucket="old-bucket-1", Key=f"{number:04}", Body=b"%d" % number)
    manager = run_13(unmoved, client)["migration_manager"]
    assert manager.migration_status["old-bucket-1"] == "completed"
    assert "Migrated 1000 objects...\n" in capsys.readouterr().out
    assert {key: blob.data for key, blob in blobs(lakefs, "lakefs-repo-1").items()} == {
        f"{number:04}": b"%d" % number for number in range(1_001)
    }
