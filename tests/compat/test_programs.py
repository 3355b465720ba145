"""aws-cli and rclone at a target and through the gateway: whole trees, and what they tell of them.

Rules: neither program is told by a switch that it talks to anything but an S3 store.
"""

from __future__ import annotations

import json
import os
from itertools import product
from typing import Any

import pytest

from tests.compat.doors import HTTP, HTTPS
from tests.compat.live import MIB, TARGETS, command, payload
from tests.compat.places import Comparison, Place

WRITTEN = 1_700_000_000  # rclone stores it with the object
NAMES = ("one", "deep/two", "deep/er/three", "grüße/vier", "a b+c")


def tree(place: Place) -> str:
    """A directory with a few files; the same bytes and times at every place.

    None is empty: SeaweedFS, asked directly, now and then leaves aws-cli's upload of one without
    an answer until the client gives up after a minute and tries again.
    """
    root = place.directory / "tree"
    for number, name in enumerate(NAMES):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(payload(1000 * number + 1000))
    (root / "large").write_bytes(payload(9 * MIB))
    for file in root.rglob("*"):
        os.utime(file, (WRITTEN, WRITTEN))
    return str(root)


def files(place: Place, directory: str) -> dict[str, int]:
    root = place.directory / directory
    return {
        str(file.relative_to(root)): hash(file.read_bytes())
        for file in sorted(root.rglob("*"))
        if file.is_file()
    }


def aws(place: Place, *words: str) -> str:
    environ = {
        "AWS_ACCESS_KEY_ID": place.keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": place.keys.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": place.endpoint,
        "AWS_PAGER": "",
        "HOME": str(place.directory),
    }
    if place.door.ca is not None:
        environ["AWS_CA_BUNDLE"] = str(place.door.ca)
    return command("aws", *words, environ=environ).decode()


def rclone(place: Place, *words: str) -> str:
    environ = {
        "RCLONE_CONFIG": str(place.directory / "rclone.conf"),
        "RCLONE_CONFIG_GW_TYPE": "s3",
        "RCLONE_CONFIG_GW_PROVIDER": "Other",
        "RCLONE_CONFIG_GW_ENDPOINT": place.endpoint,
        "RCLONE_CONFIG_GW_REGION": "us-east-1",
        "RCLONE_CONFIG_GW_ACCESS_KEY_ID": place.keys.access_key_id,
        "RCLONE_CONFIG_GW_SECRET_ACCESS_KEY": place.keys.secret_access_key,
        "RCLONE_RETRIES": "1",
        "RCLONE_LOW_LEVEL_RETRIES": "1",
    }
    if place.door.ca is not None:
        environ["RCLONE_CA_CERT"] = str(place.door.ca)
    (place.directory / "rclone.conf").touch()
    return command("rclone", *words, environ=environ).decode()


def aws_sync(place: Place) -> list[object]:
    source, remote = tree(place), f"s3://{place.path}"
    aws(place, "s3", "sync", source, remote, "--no-progress")
    again = aws(place, "s3", "sync", source, remote, "--no-progress")
    aws(place, "s3", "cp", f"{remote}/large", f"{remote}/copied", "--no-progress")
    aws(place, "s3", "mv", f"{remote}/one", f"{remote}/moved", "--no-progress")
    back = str(place.directory / "back")
    aws(place, "s3", "sync", remote, back, "--no-progress")
    aws(place, "s3", "rm", f"{remote}/deep", "--recursive")
    listing = aws(place, "s3", "ls", remote + "/", "--recursive", "--summarize")
    lines = [place.own(line[20:] if line[:2] == "20" else line) for line in listing.splitlines()]
    return [again, files(place, "back"), lines]


def aws_presign(place: Place) -> list[object]:
    key = f"s3://{place.path}/a b+c"
    tree(place)
    aws(place, "s3", "cp", f"{place.directory}/tree/deep/two", key, "--no-progress")
    url = aws(place, "s3", "presign", key, "--expires-in", "60").strip()
    answer = place.door.fetch(url, "GET")
    return [answer.status, answer.body == payload(2000), "X-Amz-Signature=" in url]


def rclone_sync(place: Place) -> list[object]:
    source, remote = tree(place), f"gw:{place.path}"
    rclone(place, "sync", source, f"{remote}/tree")
    rclone(place, "check", source, f"{remote}/tree")
    rclone(place, "copy", f"{remote}/tree", f"{remote}/copied")  # by the store itself
    rclone(place, "check", f"{remote}/tree", f"{remote}/copied")
    rclone(place, "moveto", f"{remote}/copied/one", f"{remote}/moved")
    rclone(place, "purge", f"{remote}/copied/deep")
    rclone(place, "sync", f"{remote}/tree", str(place.directory / "back"))
    listed = json.loads(rclone(place, "lsjson", "--recursive", "--hash", remote))
    kept = ("Path", "Size", "IsDir", "Hashes", "MimeType")
    entries = [{name: entry.get(name) for name in kept} for entry in listed]
    return [files(place, "back"), sorted(entries, key=lambda entry: entry["Path"])]


# A command of aws-cli takes a second of CPU, and aws_sync gives 14: in the slow tier, as
# test_aws_cli moves files and trees in the fast one.
WORK = [
    pytest.param(
        way,
        work,
        id=f"{'-'.join(way)}-{work.__name__}",
        marks=() if way in fast else pytest.mark.slow,
    )
    for work, fast in (
        (aws_sync, []),
        (aws_presign, [(HTTP, "lakefs")]),
        (rclone_sync, [(HTTP, "lakefs"), (HTTPS, "s3")]),
    )
    for way in product((HTTP, HTTPS), TARGETS)
]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("comparison", "work"), WORK, indirect=["comparison"])
def test_the_same_as_at_the_target(comparison: Comparison, work: Any) -> None:
    assert comparison.run(work)[0] is not None
