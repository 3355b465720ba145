"""SDKs' uploads through the gateway to a store that holds parts to the algorithm of their upload.

Rules: whatever form of a trailer the store takes, the upload succeeds by http and https, and the
store refused nothing of it; where the target's profile knows the form, the checksum arrives. The
control: such a store refuses what the gateway once made of the upload.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from gateway.demo.seaweed import Keys
from tests.compat.doors import DOORS, HTTP, HTTPS, Door, listener
from tests.compat.live import CLIENT, MIB, command, identity, payload, payload_file, s3_client, same
from tests.compat.shared import Store
from tests.doubles.aws_chunked import CHECKSUMS
from tests.doubles.enforcing import FORMS, EnforcingStore, enforcing_store
from tests.process.harness import Gateway

STORE = Keys("ENFORCING", "enforcing-secret")
SIZE = 11 * MIB
OLD = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
# Of each bucket: the form of its store, the algorithms it has, the profile of its target.
BUCKETS: dict[str, tuple[str, tuple[str, ...], str]] = {
    **{f"generic-{form}": (form, OLD, "generic") for form in FORMS},
    "aws-header": ("header", tuple(CHECKSUMS), "s3"),
    "weed-kept": ("kept", OLD, "seaweedfs"),
}
TOLD = ("aws-header", "weed-kept")


@pytest.fixture(scope="module")
def enforcers() -> Iterator[dict[str, EnforcingStore]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(enforcing_store(STORE.secret_access_key, form, algorithms))
            for name, (form, algorithms, _) in BUCKETS.items()
        }


@pytest.fixture(scope="module")
def enforced(
    enforcers: dict[str, EnforcingStore], stores: dict[str, Store], certificates: Path
) -> Iterator[dict[str, Door]]:
    """The doors of a gateway before all of them, and before a SeaweedFS that has other objects."""
    other = stores["s3"]
    targets: dict[str, dict[str, str]] = {
        name: {
            "profile": BUCKETS[name][2],
            "endpoint": store.endpoint,
            "access_key_id": STORE.access_key_id,
            "secret_access_key": STORE.secret_access_key,
        }
        for name, store in enforcers.items()
    }
    targets["other"] = {
        "profile": "seaweedfs",
        "endpoint": other.endpoint,
        "access_key_id": other.keys.access_key_id,
        "secret_access_key": other.keys.secret_access_key,
    }
    document = {
        "auth": {"identities": [identity("compat", CLIENT)]},
        "router": listener(certificates),
        "targets": targets,
        "routing": {
            "rules": [{"pattern": f"{name}*", "target": name} for name in targets],
            "default_target": "aws-header",
        },
    }
    with Gateway.start(document, workers=1) as gateway:
        yield {HTTP: Door(gateway.url), HTTPS: Door(gateway.tls_url, certificates / "ca.pem")}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, enforced: dict[str, Door]) -> Door:
    return enforced[request.param]


@pytest.fixture(params=BUCKETS)
def store(request: pytest.FixtureRequest, enforcers: dict[str, EnforcingStore]) -> EnforcingStore:
    found = enforcers[request.param]
    found.refused.clear()
    return found


def bucket_of(store: EnforcingStore, enforcers: dict[str, EnforcingStore]) -> str:
    (name,) = (name for name, one in enforcers.items() if one is store)
    return name


def assert_stored(store: EnforcingStore, bucket: str, key: str, algorithm: str) -> None:
    """Whole, without a word of the framing, with its checksum if it can have one."""
    stored = store.kept[f"/{bucket}/{key}"]
    assert same(stored.data, payload(SIZE))
    assert stored.encoding == ""
    names = {name for name in stored.checksums if name != "x-amz-checksum-type"}
    told = bucket in TOLD and algorithm in store.algorithms
    assert names == ({f"x-amz-checksum-{algorithm}"} if told else set())
    assert store.refused == []
    assert not store.uploads


ALGORITHMS = ("", "crc32", "crc64nvme", "sha256", "sha512", "xxhash3")
# In the fast tier each store by either door, and each algorithm at one store.
MANAGED = [
    pytest.param(
        scheme,
        name,
        algorithm,
        marks=pytest.mark.slow if algorithm and (scheme, name) != (HTTP, "aws-header") else (),
    )
    for scheme in (HTTP, HTTPS)
    for name in BUCKETS
    for algorithm in ALGORITHMS
]


@pytest.mark.parametrize(("scheme", "store", "algorithm"), MANAGED, indirect=["store"])
def test_boto3_s_managed_upload(
    enforced: dict[str, Door],
    scheme: str,
    store: EnforcingStore,
    enforcers: dict[str, EnforcingStore],
    algorithm: str,
    prefix: str,
    tmp_path: Path,
) -> None:
    """P1: in parts with a trailer each (https), or a header (http), and read again."""
    bucket, door = bucket_of(store, enforcers), enforced[scheme]
    client = s3_client(door.url, CLIENT, Config(retries={"total_max_attempts": 1}), ca=door.ca)
    key = f"{prefix}object"
    more = {"ChecksumAlgorithm": algorithm.upper()} if algorithm else {}
    client.upload_file(
        str(payload_file(tmp_path, SIZE)),
        bucket,
        key,
        ExtraArgs=more,
        Config=TransferConfig(multipart_chunksize=5 * MIB),
    )
    assert_stored(store, bucket, key, algorithm or "crc32")
    got = client.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert same(got["Body"].read(), payload(SIZE))


# The fast tier: an algorithm of parts, one of the whole object, none; a store that is never told.
FAST_COPIES = (
    ("aws-header", ""),
    ("aws-header", "sha256"),
    ("aws-header", "crc64nvme"),
    ("generic-none", "crc32"),
)
COPIED = [
    pytest.param(
        name, algorithm, marks=() if (name, algorithm) in FAST_COPIES else pytest.mark.slow
    )
    for name in BUCKETS
    for algorithm in ALGORITHMS
]


@pytest.mark.parametrize(("store", "algorithm"), COPIED, indirect=["store"])
def test_boto3_s_managed_copy_from_another_target(
    enforced: dict[str, Door],
    store: EnforcingStore,
    enforcers: dict[str, EnforcingStore],
    algorithm: str,
    prefix: str,
) -> None:
    """Each part gets the checksum that its store asks for, as if the store copied by itself."""
    bucket = bucket_of(store, enforcers)
    client = s3_client(enforced[HTTP].url, CLIENT, Config(retries={"total_max_attempts": 1}))
    source, key = {"Bucket": f"other-{prefix[:12]}", "Key": "source"}, f"{prefix}object"
    client.create_bucket(Bucket=source["Bucket"])
    client.put_object(**source, Body=payload(SIZE))
    more = {"ChecksumAlgorithm": algorithm.upper()} if algorithm else {}
    plan = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    client.copy(source, bucket, key, ExtraArgs=more, Config=plan)
    stored = store.kept[f"/{bucket}/{key}"]
    assert same(stored.data, payload(SIZE))
    assert stored.parts == 3
    told = algorithm and bucket in TOLD and algorithm in store.algorithms
    names = {name for name in stored.checksums if name != "x-amz-checksum-type"}
    assert names == ({f"x-amz-checksum-{algorithm}"} if told else set())
    refused = {message.partition(" ")[0] for _, _, message in store.refused}
    assert refused == ({"Checksum"} if told else set())  # each part once, before the store is asked
    assert not store.uploads


# aws-cli sends what boto3 sends: in the fast tier at one of the stores.
ONE_STORE = [
    pytest.param(name, marks=() if name == "aws-header" else pytest.mark.slow) for name in BUCKETS
]


@pytest.mark.parametrize("store", ONE_STORE, indirect=True)
def test_aws_cli(
    door: Door,
    store: EnforcingStore,
    enforcers: dict[str, EnforcingStore],
    prefix: str,
    tmp_path: Path,
) -> None:
    """P1: `aws s3 cp` of a file in parts."""
    bucket = bucket_of(store, enforcers)
    environ = {
        "AWS_ACCESS_KEY_ID": CLIENT.access_key_id,
        "AWS_SECRET_ACCESS_KEY": CLIENT.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": door.url,
        "HOME": str(tmp_path),
        **({"AWS_CA_BUNDLE": str(door.ca)} if door.ca else {}),
    }
    url = f"s3://{bucket}/{prefix}object"
    words = ("cp", str(payload_file(tmp_path, SIZE)), url, "--no-progress")
    command("aws", "s3", *words, "--checksum-algorithm", "CRC32C", environ=environ)
    assert_stored(store, bucket, f"{prefix}object", "crc32c")


@pytest.mark.parametrize("algorithm", ["crc32", "sha256"])
def test_an_object_in_one_piece(
    door: Door,
    store: EnforcingStore,
    enforcers: dict[str, EnforcingStore],
    algorithm: str,
    prefix: str,
) -> None:
    """P1: its checksum arrives in whatever form the target is known to take."""
    bucket = bucket_of(store, enforcers)
    client = s3_client(door.url, CLIENT, ca=door.ca)
    where = {"Bucket": bucket, "Key": f"{prefix}object"}
    client.put_object(
        **where, Body=b"body", ChecksumAlgorithm=algorithm.upper(), ContentEncoding="gzip"
    )
    stored = store.kept[f"/{bucket}/{where['Key']}"]
    assert (stored.data, stored.encoding, store.refused) == (b"body", "gzip", [])
    header = door.ca is None  # over https boto3 sends a trailer
    told = bucket in TOLD or header
    assert list(stored.checksums) == ([f"x-amz-checksum-{algorithm}"] if told else [])


def test_the_control_the_store_refuses_a_part_without_the_checksum_of_its_upload(
    enforcers: dict[str, EnforcingStore],
) -> None:
    """P1: which is what once reached it."""
    store = enforcers["weed-kept"]
    client: Any = s3_client(
        store.endpoint, STORE, Config(request_checksum_calculation="when_required")
    )
    where = {"Bucket": "b-b", "Key": "control"}
    begun = client.create_multipart_upload(**where, ChecksumAlgorithm="CRC32")
    with pytest.raises(ClientError, match="Checksum Type mismatch occurred, expected"):
        client.upload_part(**where, UploadId=begun["UploadId"], PartNumber=1, Body=b"plain")
    client.abort_multipart_upload(**where, UploadId=begun["UploadId"])
