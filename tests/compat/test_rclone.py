"""rclone through the gateway on two real servers: every byte, and where it lies.

Rules: none of rclone's quirk switches for proxies is set; that none is needed is the claim.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.compat.doors import Door
from tests.compat.live import (
    CLIENT,
    SIZES,
    Side,
    assert_landed,
    command,
    payload,
    payload_file,
    read_directly,
    s3_client,
    same,
)

IN_PARTS = ("--s3-upload-cutoff", "0", "--s3-chunk-size", "5M")


class Rclone:
    """The `rclone` program with one remote, `gw`."""

    def __init__(self, door: Door, home: Path) -> None:
        self._environ = {
            "RCLONE_CONFIG": str(home / "rclone.conf"),
            "RCLONE_CONFIG_GW_TYPE": "s3",
            "RCLONE_CONFIG_GW_PROVIDER": "Other",
            "RCLONE_CONFIG_GW_ENDPOINT": door.url,
            "RCLONE_CONFIG_GW_REGION": "us-east-1",
            "RCLONE_CONFIG_GW_ACCESS_KEY_ID": CLIENT.access_key_id,
            "RCLONE_CONFIG_GW_SECRET_ACCESS_KEY": CLIENT.secret_access_key,
            "RCLONE_RETRIES": "1",
            "RCLONE_LOW_LEVEL_RETRIES": "1",
        }
        if door.ca is not None:
            self._environ["RCLONE_CA_CERT"] = str(door.ca)
        (home / "rclone.conf").touch()

    def __call__(self, *words: str) -> bytes:
        return command("rclone", *words, environ=self._environ)


@pytest.fixture
def rclone(door: Door, tmp_path: Path) -> Rclone:
    return Rclone(door, tmp_path)


@pytest.mark.parametrize("how", [(), IN_PARTS], ids=["whole", "in parts"])
@pytest.mark.parametrize("size", SIZES)
def test_a_file_makes_the_round_trip(
    rclone: Rclone, side: Side, prefix: str, size: int, how: tuple[str, ...], tmp_path: Path
) -> None:
    key = f"{prefix}a b+c"
    remote = f"gw:{side.bucket}/{key}"
    source = str(payload_file(tmp_path, size))
    rclone("copyto", source, remote, *how)
    assert_landed(side, key, payload(size))
    stored = s3_client(side.here.endpoint, side.here.keys).head_object(Bucket=side.bucket, Key=key)
    # Only an object that was put together from parts has a dash in its ETag.
    assert ("-" in stored["ETag"]) is (how == IN_PARTS)
    rclone("copyto", remote, str(tmp_path / "back"))
    assert same((tmp_path / "back").read_bytes(), payload(size))
    (entry,) = json.loads(rclone("lsjson", f"gw:{side.bucket}/{prefix}"))
    assert (entry["Name"], entry["Size"]) == ("a b+c", size)
    assert rclone("size", "--json", remote).split()  # a HEAD by another way
    rclone("deletefile", remote)
    assert read_directly(side.here, side.bucket, key) is None


def test_a_tree_is_synchronised_and_checked(
    rclone: Rclone, side: Side, prefix: str, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    for name in ("one", "deep/two", "deep/er/three", "grüße/vier"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    remote = f"gw:{side.bucket}/{prefix}tree"
    rclone("sync", str(tree), remote)
    rclone("check", str(tree), remote, "--download")
    assert_landed(side, f"{prefix}tree/grüße/vier", "grüße/vier".encode())
