"""`s3gateway check --connect` and `probe` against stores that look at signatures.

The lakeFS here is the double of docs/lakefs.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import main
from gateway.demo.seaweed import Keys
from tests.compat.shared import Store
from tests.doubles.lakefs import LakeFS


def run(directory: Path, target: dict[str, Any], *words: str) -> Result:
    """A command over a configuration with one target, `store`, and one rule for a bucket of it."""
    client = {"name": "me", "access_key_id": "AKIDME", "secret_access_key": "hidden"}
    rules = [{"pattern": "surely-not-there", "target": "store"}]
    config = {
        "auth": {"identities": [client]},
        "targets": {"store": target},
        "routing": {"default_target": "store", "rules": rules},
    }
    file = directory / "gateway.yaml"
    file.write_text(json.dumps(config))
    done = CliRunner().invoke(main, [words[0], "-c", str(file), *words[1:]])
    assert target["secret_access_key"] not in done.output
    return done


def described(endpoint: str, keys: Keys, profile: str) -> dict[str, Any]:
    pair = {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
    return {"endpoint": endpoint, "profile": profile, **pair}


@pytest.fixture
def weed(stores: dict[str, Store]) -> Store:
    return stores["s3"]


def test_seaweedfs(weed: Store, tmp_path: Path) -> None:
    """D2: right keys, a wrong secret, an unknown key."""
    keys = weed.keys
    good = run(tmp_path, described(weed.endpoint, keys, "seaweedfs"), "check", "--connect")
    assert good.exit_code == 0, good.output
    assert "the target's credentials: ListBuckets 200" in good.stderr
    assert "bucket surely-not-there does not exist on the target" in good.stdout
    wrong = Keys(keys.access_key_id, "wrong-secret")
    refused = run(tmp_path, described(weed.endpoint, wrong, "seaweedfs"), "check", "--connect")
    assert refused.exit_code == 5
    assert "store.secret_access_key: the target refuses the signature" in refused.stdout
    unknown = Keys("AKIDNOBODY", "wrong-secret")
    refused = run(tmp_path, described(weed.endpoint, unknown, "seaweedfs"), "check", "--connect")
    assert refused.exit_code == 5
    assert "store.access_key_id: the target does not know the access key id" in refused.stdout


def test_a_doctor_writes_reads_lists_and_deletes(weed: Store, tmp_path: Path) -> None:
    """And leaves nothing, at a store of S3 as at lakeFS."""
    found = described(weed.endpoint, weed.keys, "seaweedfs")
    client = boto3.client(
        "s3",
        endpoint_url=weed.endpoint,
        aws_access_key_id=weed.keys.access_key_id,
        aws_secret_access_key=weed.keys.secret_access_key,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="doctors")
    done = run(tmp_path, found, "doctor", "--write", "store/doctors")
    assert "an object was written to doctors/, read, listed and deleted" in done.stdout
    assert client.list_objects_v2(Bucket="doctors")["KeyCount"] == 0
    wrong = run(tmp_path, found, "doctor", "--write", "store/no-such-bucket")
    assert wrong.exit_code == 1
    assert "PutObject to no-such-bucket/ is answered 404 NoSuchBucket" in wrong.stdout
    with LakeFS() as lakefs:
        ((key, secret),) = lakefs.keys.items()
        lakefs.add_repository("repo")
        found = described(lakefs.endpoint, Keys(key, secret), "lakefs")
        done = run(tmp_path, found, "doctor", "--write", "store/repo/main/")
        assert "an object was written to repo/main/, read, listed and deleted" in done.stdout
        found["profile"] = "generic"
        taken = run(tmp_path, found, "doctor")
        assert taken.exit_code == 1
        assert "lakeFS answers there, but its profile is generic" in taken.stdout


def test_a_probe_names_a_refused_signature(weed: Store, tmp_path: Path) -> None:
    """D7: HEAD has no document, so a GET is asked for the code."""
    wrong = Keys(weed.keys.access_key_id, "wrong-secret")
    target = described(weed.endpoint, wrong, "seaweedfs")
    done = run(tmp_path, target, "probe", "store", "--bucket", "any")
    assert done.exit_code == 1
    assert "403 SignatureDoesNotMatch: the target refuses the signature" in done.stderr
    assert "correct secret_access_key" in done.stderr


def test_a_probe_names_a_scheme_that_is_mixed_up(weed: Store, tmp_path: Path) -> None:
    """D7: https:// to a port of plain http."""
    target = described(weed.endpoint.replace("http:", "https:"), weed.keys, "seaweedfs")
    done = run(tmp_path, target, "probe", "store", "--bucket", "any")
    assert done.exit_code == 1
    assert "write http:// in the target's endpoint" in done.stderr


def test_lakefs(tmp_path: Path) -> None:
    """D2: AccessDenied is what it says to an unknown key; its health check says it is there."""
    with LakeFS() as lakefs:
        ((key, secret),) = lakefs.keys.items()
        good = run(
            tmp_path, described(lakefs.endpoint, Keys(key, secret), "lakefs"), "check", "--connect"
        )
        assert good.exit_code == 0, good.output
        unknown = Keys("AKIANOBODY", "wrong-secret")
        refused = run(tmp_path, described(lakefs.endpoint, unknown, "lakefs"), "check", "--connect")
    assert refused.exit_code == 5
    assert "store.access_key_id: lakeFS says AccessDenied: the access key id is" in refused.stdout
