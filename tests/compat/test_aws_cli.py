"""aws-cli through the gateway on two real servers: every byte, and where it lies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.compat.doors import Door
from tests.compat.live import (
    CLIENT,
    MIB,
    TARGETS,
    Side,
    assert_landed,
    command,
    payload,
    payload_file,
    read_directly,
    same,
)

SIZES = (0, 1, MIB, 100 * MIB)


def at_each_target(*sizes: int, fast: tuple[str, int]) -> pytest.MarkDecorator:
    """Each command is an interpreter that imports all of aws-cli, a second of CPU.

    So the fast tier does the work once, and boto3, which does it here as well, has every size.
    """
    cases = [
        pytest.param(target, size, marks=() if (target, size) == fast else pytest.mark.slow)
        for target in TARGETS
        for size in sizes
    ]
    return pytest.mark.parametrize(("side", "size"), cases, indirect=["side"])


class AwsCli:
    """The `aws` program, pointed at the gateway by its environment alone."""

    def __init__(self, door: Door, home: Path) -> None:
        self._environ = {
            "AWS_ACCESS_KEY_ID": CLIENT.access_key_id,
            "AWS_SECRET_ACCESS_KEY": CLIENT.secret_access_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": door.url,
            "AWS_PAGER": "",
            "HOME": str(home),
        }
        if door.ca is not None:
            self._environ["AWS_CA_BUNDLE"] = str(door.ca)

    def s3(self, *words: str) -> str:
        return command("aws", "s3", *words, environ=self._environ).decode()

    def api(self, operation: str, side: Side, key: str, *words: str) -> dict[str, object]:
        where = ("--bucket", side.bucket, "--key", key)
        output = command("aws", "s3api", operation, *where, *words, environ=self._environ)
        found = json.loads(output or b"{}")
        assert isinstance(found, dict)
        return found


@pytest.fixture
def aws(door: Door, tmp_path: Path) -> AwsCli:
    return AwsCli(door, tmp_path)


@at_each_target(*SIZES, fast=("lakefs", MIB))
def test_a_file_makes_the_round_trip(
    aws: AwsCli, side: Side, prefix: str, size: int, tmp_path: Path
) -> None:
    key = f"{prefix}a b+c"
    url = f"s3://{side.bucket}/{key}"
    aws.s3("cp", str(payload_file(tmp_path, size)), url, "--no-progress")
    assert_landed(side, key, payload(size))
    aws.s3("cp", url, str(tmp_path / "back"), "--no-progress")
    assert same((tmp_path / "back").read_bytes(), payload(size))
    assert aws.api("head-object", side, key)["ContentLength"] == size
    assert aws.s3("ls", f"s3://{side.bucket}/{prefix}").split()[2:] == [str(size), "a", "b+c"]
    aws.s3("rm", url)
    assert read_directly(side.here, side.bucket, key) is None


@at_each_target(*SIZES, fast=("s3", 0))
def test_the_plain_operations_carry_every_byte(
    aws: AwsCli, side: Side, prefix: str, size: int, tmp_path: Path
) -> None:
    key = f"{prefix}plain"
    aws.api("put-object", side, key, "--body", str(payload_file(tmp_path, size)))
    assert_landed(side, key, payload(size))
    got = aws.api("get-object", side, key, str(tmp_path / "back"))
    assert got["ContentLength"] == size
    assert same((tmp_path / "back").read_bytes(), payload(size))
    aws.api("delete-object", side, key)
    assert read_directly(side.here, side.bucket, key) is None


@at_each_target(0, 1, MIB, fast=("lakefs", 1))
def test_a_multipart_upload_makes_the_round_trip(
    aws: AwsCli, side: Side, prefix: str, size: int, tmp_path: Path
) -> None:
    key = f"{prefix}parts"
    upload = ("--upload-id", str(aws.api("create-multipart-upload", side, key)["UploadId"]))
    file = str(payload_file(tmp_path, size))
    part = aws.api("upload-part", side, key, *upload, "--part-number", "1", "--body", file)
    parts = json.dumps({"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    aws.api("complete-multipart-upload", side, key, *upload, "--multipart-upload", parts)
    assert_landed(side, key, payload(size))


@at_each_target(20 * MIB, 100 * MIB, fast=("s3", 20 * MIB))
def test_a_larger_file_goes_in_parts_by_itself(
    aws: AwsCli, side: Side, prefix: str, size: int, tmp_path: Path
) -> None:
    key = f"{prefix}file"
    aws.s3("cp", str(payload_file(tmp_path, size)), f"s3://{side.bucket}/{key}", "--no-progress")
    parts = -(-size // (8 * MIB))
    assert str(aws.api("head-object", side, key)["ETag"]).endswith(f'-{parts}"')
    assert_landed(side, key, payload(size))
