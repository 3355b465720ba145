"""`s3gateway probe`: an operator asks a live target what it can do, and pastes the answer.

The lakeFS here is the double of docs/lakefs.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from click.testing import CliRunner, Result

from fastpath.routing.profiles import PROFILES, with_overrides
from fastpath.signing.sigv4.verify import STREAMING_MODES
from gateway.cli.main import main
from gateway.config import load
from gateway.demo.seaweed import Keys
from tests.compat.live import CLIENT, configuration, s3_client
from tests.compat.shared import Store
from tests.doubles.enforcing import FORMS, enforcing_store
from tests.doubles.lakefs import LakeFS
from tests.process.harness import Gateway

SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
MOTO = Keys("moto-key", "moto-secret")


def described(endpoint: str, keys: Keys, **more: object) -> dict[str, Any]:
    """A configuration with the target `new`, which no rule leads to yet."""
    pair = {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
    elsewhere = {"endpoint": "http://127.0.0.1:9", **pair}
    return {"targets": {"new": {"endpoint": endpoint, **pair, **more}}, "s3": elsewhere}


def probe(directory: Path, config: dict[str, Any], *words: str) -> Result:
    """The command, in this process: half of a run of its own would be imports."""
    file = directory / "gateway.yaml"
    file.write_text(json.dumps(config))
    unset = {name: None for name in os.environ if name.startswith("AWS_")}
    return CliRunner().invoke(main, ["probe", "--config", str(file), *words], env=unset)


def probe_as_a_program(
    directory: Path, config: dict[str, Any], *words: str
) -> subprocess.CompletedProcess[str]:
    file = directory / "gateway.yaml"
    file.write_text(json.dumps(config))
    program = Path(sysconfig.get_path("scripts")) / "s3gateway"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [str(program), "probe", "--config", str(file), *words],
        env=kept,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def found(directory: Path, config: dict[str, Any], *words: str) -> tuple[dict[str, Any], Result]:
    """What was printed for the target, once it has been seen to load when it is pasted."""
    done = probe(directory, config, "new", *words)
    assert done.exit_code == 0, done.stderr
    printed = yaml.safe_load(done.stdout)["targets"]["new"]
    pasted = {name: part for name, part in config.items() if name not in ("lakefs", "s3")}
    pasted |= {"routing": {"default_target": "new"}}
    pasted["targets"] = {"new": {**config["targets"]["new"], **printed}}  # or others warn: unused
    (directory / "pasted.yaml").write_text(json.dumps(pasted))
    loaded = load({"config": str(directory / "pasted.yaml")}, {})
    assert [problem.format() for problem in loaded.problems] == []
    return printed, done


@pytest.fixture
def weed(stores: dict[str, Store]) -> Store:
    return stores["s3"]


def test_seaweedfs_is_as_its_profile_says(weed: Store, tmp_path: Path, prefix: str) -> None:
    client = s3_client(weed.endpoint, weed.keys)
    before = {entry["Name"] for entry in client.list_buckets()["Buckets"]}
    bucket = f"probed-{prefix[:12]}"
    config = described(weed.endpoint, weed.keys)
    printed, done = found(tmp_path, config, "--bucket", bucket, "--create")
    assert printed == {"profile": "seaweedfs"}
    assert "lists: sorted: no: in this order: Z _ a/b a-b" in done.stderr
    assert "verifies_digest: no: not x-amz-content-sha256 of PutObject" in done.stderr
    assert "lacks: DeleteBucketWebsite: 204, the bucket was deleted" in done.stderr
    after = {entry["Name"] for entry in client.list_buckets()["Buckets"]}
    assert not {name for name in after - before if "probe" in name}


def test_a_bucket_that_is_in_use_keeps_what_it_has(
    weed: Store, tmp_path: Path, prefix: str
) -> None:
    client = s3_client(weed.endpoint, weed.keys)
    bucket = f"used-{prefix[:12]}"
    client.create_bucket(Bucket=bucket)
    for key in ("a", "data/a", "data/s3gateway-probe-a", "z"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket=bucket, Key="data/a", Body=b"newer")

    def inventory() -> Any:
        versions = client.list_object_versions(Bucket=bucket)
        assert "DeleteMarkers" not in versions
        uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        return [(v["Key"], v["VersionId"], v["ETag"]) for v in versions["Versions"]], uploads

    before = inventory()
    assert len(before[0]) == 5
    config = described(weed.endpoint, weed.keys)
    printed, done = found(tmp_path, config, "--bucket", bucket, "--prefix", "data/")
    # where versions are kept, SeaweedFS sorts
    sorts = {"lists": ["encoding-type", "sorted", "start-after"]}
    assert printed == {"profile": "seaweedfs", "profile_overrides": sorts}
    assert "not tried without --create" in done.stderr
    assert inventory() == before


def test_moto_believes_everything(moto: str, tmp_path: Path) -> None:
    config = described(moto.replace("127.0.0.1", "localhost"), MOTO)
    client = s3_client(moto, MOTO)
    before = [entry["Name"] for entry in client.list_buckets()["Buckets"]]
    printed, _ = found(tmp_path, config, "--bucket", "probed", "--create")
    assert printed["profile"] == "generic"
    overrides = printed["profile_overrides"]
    assert overrides["virtual_hosts"] is True
    assert overrides["lists"] == ["encoding-type", "sorted", "start-after"]
    assert "PutObjectAnnotation" in overrides["lacks"]
    assert overrides["overlooks"]["PutObject"] == ["x-amz-write-offset-bytes"]
    assert not any(name.startswith("verifies") for name in overrides)
    assert [entry["Name"] for entry in client.list_buckets()["Buckets"]] == before


def test_lakefs_is_known_by_what_it_mistakes(tmp_path: Path) -> None:
    with LakeFS() as lakefs:
        repository = lakefs.add_repository("repo")
        ((key, secret),) = lakefs.keys.items()
        config = described(lakefs.endpoint, Keys(key, secret))
        printed, done = found(tmp_path, config, "--bucket", "repo", "--prefix", "main/")
        assert printed == {
            "profile": "lakefs",
            "profile_overrides": {"streaming": [SIGNED_CHUNKS]},
        }
        assert "lacks: PutObjectLegalHold: 200, the object itself was changed" in done.stderr
        client = s3_client(lakefs.endpoint, Keys(key, secret))
        assert client.list_objects_v2(Bucket="repo", Prefix="main/")["KeyCount"] == 0
        assert repository is not None


def test_json_is_for_programs(weed: Store, tmp_path: Path, prefix: str) -> None:
    config = described(weed.endpoint, weed.keys)
    words = ("new", "--bucket", f"json-{prefix[:12]}", "--create", "--format", "json")
    done = probe_as_a_program(tmp_path, config, *words)
    printed = json.loads(done.stdout)
    assert printed == {"target": "new", "profile": "seaweedfs", "profile_overrides": {}}


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["new"], 2, "Missing option '--bucket'"),
        (["nwe", "--bucket", "b"], 2, "'nwe' is no target. Known: new, s3"),
        (["new", "--bucket", "nobody-made-it"], 1, "bucket nobody-made-it cannot be read: 404"),
        (["s3", "--bucket", "b"], 1, "the target does not answer"),
    ],
)
def test_what_cannot_be_probed(
    weed: Store, tmp_path: Path, words: list[str], status: int, told: str
) -> None:
    done = probe(tmp_path, described(weed.endpoint, weed.keys), *words)
    assert (done.exit_code, done.stdout) == (status, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_keys_are_told_without_the_secret(weed: Store, tmp_path: Path) -> None:
    keys = Keys(weed.keys.access_key_id, "a-wrong-secret")
    done = probe(tmp_path, described(weed.endpoint, keys), "new", "--bucket", "b-1", "--create")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "bucket b-1 cannot be read: 403" in done.stderr
    assert "a-wrong-secret" not in done.stderr


@pytest.mark.slow  # test_checksum_support shows it on the rig; this asks again what probes ask
def test_a_gateway_in_front_of_seaweedfs_verifies_what_it_does_not(
    stores: dict[str, Store], tmp_path: Path, prefix: str
) -> None:
    """Over TLS, so that unsigned trailers and the host of a bucket are tried as well."""
    bucket = f"via-{prefix[:12]}"
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", f"{bucket}.localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = {
        name: str(tmp_path / f"{name.split('_')[0]}.pem") for name in ("cert_file", "key_file")
    }
    router = {"tls": {"listen_address": "127.0.0.1:0", **files}, "domains": ["localhost"]}
    with Gateway.start({**configuration(stores, CLIENT), "router": router}) as gateway:
        endpoint = gateway.tls_url.replace("127.0.0.1", "localhost")
        config = described(endpoint, CLIENT, tls={"ca_file": str(tmp_path / "ca.pem")})
        printed, _ = found(tmp_path, config, "--bucket", bucket, "--create")
    assert printed == {
        "profile": "s3",
        "profile_overrides": {
            "checksums": ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"],
            "lists": ["encoding-type", "start-after"],
        },
    }


@pytest.mark.parametrize("form", FORMS)
def test_the_form_in_which_a_store_takes_trailers_is_found(form: str, tmp_path: Path) -> None:
    """P1: with the header that names the frames, without it, or none; and which checksums."""
    known = ["crc32", "sha512"]
    with enforcing_store(MOTO.secret_access_key, form, known) as store:
        config = described(store.endpoint, MOTO)
        printed, done = found(tmp_path, config, "--bucket", "b")
    profile = with_overrides(PROFILES[printed["profile"]], printed["profile_overrides"])
    assert profile.checksums == {name.encode() for name in known}
    assert profile.verifies_checksums
    signed = {mode for mode in STREAMING_MODES if b"HMAC" in mode}  # the others need TLS
    assert profile.streaming & signed == (set() if form == "none" else signed)
    assert profile.keeps_aws_chunked is (form == "kept")
    assert "checksums: md5: no: 400 InvalidRequest" in done.stderr
