"""The seed's hybrid workflow: applications that know S3 buckets alone, unchanged on lakeFS.

Rules: an application names neither the gateway (its endpoint is in its environment), nor a
repository, nor a branch; what landed is looked up in the double of lakeFS.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.compat.live import CLIENT, MIB, payload, s3_client
from tests.doubles.lakefs import LakeFS
from tests.process.harness import Gateway
from tests.process.lakefs.gateway import configuration

EXAMPLE = Path(__file__).parent / "files" / "12-pure-s3-to-hybrid.py"
# What clients name -> the repository of which they see `main`.
MOVED = {
    "old-bucket": "lakefs-new",
    "data-bucket": "lakefs-data-bucket",
    "results-bucket": "lakefs-results-bucket",
}


@pytest.fixture
def lakefs() -> Iterator[LakeFS]:
    with LakeFS() as one:
        for repository in MOVED.values():
            one.add_repository(repository)
        yield one


@pytest.fixture
def gateway(lakefs: LakeFS) -> Iterator[Gateway]:
    document = configuration(lakefs)
    rules = [
        {
            "pattern": bucket,
            "target": "lakefs",
            "rewrite": {"bucket": repository, "key_prefix": "main/"},
        }
        for bucket, repository in MOVED.items()
    ]
    identity = {
        "name": "application",
        "access_key_id": CLIENT.access_key_id,
        "secret_access_key": CLIENT.secret_access_key,
    }
    document |= {
        "auth": {"identities": [identity]},
        "routing": {"default_target": "s3", "rules": rules},
    }
    with Gateway.start(document, 1) as running:
        yield running


def stored(lakefs: LakeFS, bucket: str) -> dict[str, bytes]:
    """What is on `main` of the repository that a bucket has moved to."""
    entries = lakefs.store.repositories[MOVED[bucket]].branches["main"].entries
    return {key: blob.data for key, blob in entries.items()}


def test_12_before_runs_on_lakefs(lakefs: LakeFS, gateway: Gateway, tmp_path: Path) -> None:
    """The example's `Before`, verbatim. Supplied: `process_csv`, the input; the call left out."""
    before, after = EXAMPLE.read_text().split("# After: ")
    assert "endpoint_url" in after
    assert "endpoint_url" not in before
    client = s3_client(gateway.url, CLIENT)
    client.put_object(Bucket="data-bucket", Key="input/data.csv", Body=b"a,b")
    done = subprocess.run(
        [sys.executable, "-c", f"process_csv = bytes.upper\n{before}\nprocess_data()"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL_S3": gateway.url,
            "AWS_ACCESS_KEY_ID": CLIENT.access_key_id,
            "AWS_SECRET_ACCESS_KEY": CLIENT.secret_access_key,
        },
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    assert stored(lakefs, "results-bucket") == {"output/processed.csv": b"A,B"}
    assert stored(lakefs, "data-bucket") == {"input/data.csv": b"a,b"}


def objects(client: Any) -> None:
    """The work of an application that knows `old-bucket` and keys such as a/b."""
    bucket = {"Bucket": "old-bucket"}
    where = {**bucket, "Key": "a/b"}
    client.put_object(**where, Body=b"text", ContentType="x/y", Metadata={"colour": "blue"})
    got = client.get_object(**where)
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (
        b"text",
        "x/y",
        {"colour": "blue"},
    )
    client.copy_object(**bucket, Key="a/c d+é", CopySource=where)
    client.upload_fileobj(io.BytesIO(payload(9 * MIB)), "old-bucket", "a/large")
    back = io.BytesIO()
    client.download_fileobj("old-bucket", "a/large", back)
    assert back.getvalue() == payload(9 * MIB)
    url = client.generate_presigned_url("get_object", where)
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.read() == b"text"


def lists(client: Any) -> None:
    bucket = {"Bucket": "old-bucket"}
    pages = client.get_paginator("list_objects_v2").paginate(
        **bucket, PaginationConfig={"PageSize": 2}
    )
    rows = [row["Key"] for page in pages for row in page["Contents"]]
    assert rows == ["a/b", "a/c d+é", "a/large"]
    shallow = client.list_objects_v2(**bucket, Delimiter="/")
    assert (shallow["Name"], shallow["Prefix"]) == ("old-bucket", "")
    assert shallow["CommonPrefixes"] == [{"Prefix": "a/"}]
    after = client.list_objects(**bucket, Prefix="a/", Marker="a/b")
    assert [row["Key"] for row in after["Contents"]] == ["a/c d+é", "a/large"]
    client.head_bucket(**bucket)


def deletions(client: Any) -> None:
    bucket = {"Bucket": "old-bucket"}
    doomed = {"Objects": [{"Key": key} for key in ("a/c d+é", "a/large")]}
    deleted = client.delete_objects(**bucket, Delete=doomed)["Deleted"]
    assert sorted(row["Key"] for row in deleted) == ["a/c d+é", "a/large"]
    client.delete_object(**bucket, Key="a/b")
    with pytest.raises(ClientError) as gone:
        client.get_object(**bucket, Key="a/b")
    error = gone.value.response["Error"]
    assert (error["Code"], error["Key"]) == ("NoSuchKey", "a/b")


def test_an_application_that_knows_its_bucket_alone_works_on_lakefs(
    lakefs: LakeFS, gateway: Gateway
) -> None:
    client = s3_client(gateway.url, CLIENT)
    objects(client)
    assert stored(lakefs, "old-bucket") == {
        "a/b": b"text",
        "a/c d+é": b"text",
        "a/large": payload(9 * MIB),
    }
    lists(client)
    deletions(client)
    assert stored(lakefs, "old-bucket") == {}
