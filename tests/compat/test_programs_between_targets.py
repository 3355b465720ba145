"""aws-cli, rclone, s3fs and pyarrow copy and move between buckets on different targets.

Rules: no program is told by a switch that there is more than one store; a move removes its source
only once the copy is made.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.compat import test_programs
from tests.compat.between import METADATA, Spot, World
from tests.compat.doors import HTTP
from tests.compat.live import CLIENT, MIB, payload
from tests.compat.places import Place
from tests.compat.test_copies_between_targets import FAST_PAIRS, PAIRS, SLOW_PAIRS, TAGS
from tests.compat.test_s3fs import file_system

SMALL, LARGE, DEEP = "a b+c é&=%41", "deep/nine", "deep/ß/two"
TREE = {SMALL: payload(1), LARGE: payload(9 * MIB), DEEP: payload(2)}
# aws-cli 1 copies in parts from 8 MiB on, and then says nothing of metadata, as it does at S3.
NONE: Mapping[str, str] = {}
# A command of aws-cli takes a second of CPU: the fast tier has one story of them.
ALL_SLOW = [
    pytest.param(names, marks=pytest.mark.slow)
    for names in (("aws", "lakefs"), ("lakefs", "aws"), *SLOW_PAIRS)
]


class Job:
    """A tree of objects at one spot that a program copies to another one."""

    def __init__(self, world: World, source: Spot, place: Spot, prefix: str, home: Path) -> None:
        self.world = world
        self.source = source
        self.place = place
        self.prefix = prefix
        self.here = Place(world.doors[HTTP], CLIENT, source.bucket, prefix, home)
        self.source_path = f"{source.bucket}/{source.before}{prefix}"
        self.path = f"{place.bucket}/{place.before}{prefix}"

    def make(self, tree: dict[str, bytes], **more: object) -> None:
        for name, body in tree.items():
            self.world.client().put_object(
                Bucket=self.source.bucket,
                Key=f"{self.source.before}{self.prefix}{name}",
                Body=body,
                Metadata=METADATA,
                **more,
            )

    def assert_copied(self, name: str, body: bytes, metadata: Mapping[str, str] = METADATA) -> None:
        key = f"{self.place.before}{self.prefix}{name}"
        assert self.world.assert_copied(self.place, key, body).metadata == metadata

    def has_source(self, name: str) -> bool:
        return self._is_there(self.source, name)

    def has_copy(self, name: str) -> bool:
        return self._is_there(self.place, name)

    def _is_there(self, spot: Spot, name: str) -> bool:
        return self.world.found(spot, f"{spot.before}{self.prefix}{name}") is not None

    def modified(self, name: str) -> dict[str, str]:
        """When each copy below this name was made, as a list says."""
        where = {"Bucket": self.place.bucket, "Prefix": f"{self.place.before}{self.prefix}{name}"}
        listed = self.world.client().list_objects_v2(**where)["Contents"]
        return {entry["Key"]: entry["LastModified"] for entry in listed}

    def aws(self, *words: str) -> list[str]:
        """Run aws-cli; return the lines that it prints, in order of their text."""
        return sorted(test_programs.aws(self.here, *words).splitlines())

    def rclone(self, *words: str) -> str:
        return test_programs.rclone(self.here, *words)


@pytest.fixture(params=PAIRS, ids="-".join)
def job(request: pytest.FixtureRequest, between: World, prefix: str, tmp_path: Path) -> Job:
    source, place = request.param
    return Job(between, between.spots[source], between.spots[place], prefix, tmp_path)


# --- aws-cli ---


@pytest.mark.parametrize("job", [("first", "second"), *ALL_SLOW], indirect=True, ids="-".join)
@pytest.mark.timeout(180)
def test_aws_cli_copies_and_moves(job: Job) -> None:
    job.make(TREE)
    source, path = f"s3://{job.source_path}", f"s3://{job.path}"
    job.aws("s3", "cp", f"{source}{SMALL}", f"{path}one", "--no-progress")
    job.assert_copied("one", TREE[SMALL])
    job.aws("s3", "mv", f"{source}{LARGE}", f"{path}moved", "--no-progress")
    job.assert_copied("moved", TREE[LARGE], NONE)
    assert not job.has_source(LARGE)


@pytest.mark.slow
@pytest.mark.parametrize("job", FAST_PAIRS, indirect=True, ids="-".join)
@pytest.mark.timeout(300)
def test_aws_cli_copies_a_large_object(job: Job) -> None:
    job.make({"large": payload(200 * MIB)})
    job.aws("s3", "cp", f"s3://{job.source_path}large", f"s3://{job.path}copied", "--no-progress")
    job.assert_copied("copied", payload(200 * MIB), NONE)


@pytest.mark.slow
@pytest.mark.parametrize("job", [("first", "second")], indirect=True, ids="-".join)
def test_aws_cli_has_a_larger_object_copied_whole(job: Job) -> None:
    """docs/moving-buckets.md: what a larger object loses, it keeps by this setting."""
    (job.here.directory / ".aws").mkdir()
    setting = "[default]\ns3 =\n  multipart_threshold = 5GB\n"
    (job.here.directory / ".aws" / "config").write_text(setting)
    job.make({LARGE: TREE[LARGE]})
    source, path = f"s3://{job.source_path}", f"s3://{job.path}"
    job.aws("s3", "cp", f"{source}{LARGE}", f"{path}whole", "--no-progress")
    job.assert_copied("whole", TREE[LARGE])


@pytest.mark.parametrize(
    "job",
    [pytest.param(("first", "second"), marks=pytest.mark.slow), *ALL_SLOW],
    indirect=True,
    ids="-".join,
)
@pytest.mark.timeout(180)
def test_aws_cli_synchronises(job: Job) -> None:
    """docs/moving-buckets.md: by size and time, so the way back copies everything again."""
    job.make(TREE)
    source, path = f"s3://{job.source_path}", f"s3://{job.path}"
    job.aws("s3", "cp", source, f"{path}copied/", "--recursive", "--no-progress")
    synchronise = ("s3", "sync", source, f"{path}synced/", "--no-progress")
    assert len(job.aws(*synchronise)) == len(TREE)
    assert job.aws(*synchronise) == []
    for name, body in TREE.items():
        kept = NONE if name == LARGE else METADATA
        job.assert_copied(f"copied/{name}", body, kept)
        job.assert_copied(f"synced/{name}", body, kept)
    back = job.aws("s3", "sync", f"{path}synced/", source, "--no-progress", "--dryrun")
    assert len(back) == len(TREE)
    bucket, _, key = f"{job.path}api".partition("/")
    where = ("--bucket", bucket, "--key", key)
    job.aws("s3api", "copy-object", *where, "--copy-source", f"{job.source_path}{DEEP}")
    job.assert_copied("api", TREE[DEEP])


@pytest.mark.parametrize("job", [("aws", "lakefs")], indirect=True, ids="-".join)
def test_a_move_whose_copy_is_refused_keeps_its_source(job: Job) -> None:
    job.make({"tagged": b"tagged"}, Tagging=TAGS)
    with pytest.raises(AssertionError, match=r"move failed: .*x-amz-tagging"):
        job.aws("s3", "mv", f"s3://{job.source_path}tagged", f"s3://{job.path}moved")
    assert job.has_source("tagged")
    assert not job.has_copy("moved")


# --- rclone ---


@pytest.mark.timeout(180)
def test_rclone_copies_moves_and_synchronises(job: Job) -> None:
    """Within one remote, rclone has the store copy: nothing goes through the client."""
    job.make(TREE)
    source, remote = f"gw:{job.source_path}", f"gw:{job.path}"
    job.rclone("copyto", f"{source}{SMALL}", f"{remote}o ne+")
    job.assert_copied("o ne+", TREE[SMALL])
    job.rclone("sync", source, f"{remote}synced")
    job.rclone("check", source, f"{remote}synced")
    job.rclone("check", "--download", source, f"{remote}synced")
    made = job.modified("synced/")
    job.rclone("sync", source, f"{remote}synced")  # the times in the metadata are equal
    assert job.modified("synced/") == made
    for name, body in TREE.items():
        job.assert_copied(f"synced/{name}", body)
    job.rclone("moveto", f"{source}{LARGE}", f"{remote}moved")
    job.assert_copied("moved", TREE[LARGE])
    assert not job.has_source(LARGE)


@pytest.mark.slow
@pytest.mark.parametrize("job", [*FAST_PAIRS, ("first", "lakefs")], indirect=True, ids="-".join)
@pytest.mark.timeout(300)
def test_rclone_compares_the_md5_of_a_large_copy(job: Job) -> None:
    """An ETag of lakeFS that looks like an MD5 must be one: else rclone removes the copy."""
    job.make({"large": payload(200 * MIB)})
    job.rclone("copyto", f"gw:{job.source_path}large", f"gw:{job.path}copied")
    job.assert_copied("copied", payload(200 * MIB))


@pytest.mark.parametrize("job", [("lakefs", "aws")], indirect=True, ids="-".join)
def test_rclone_takes_what_lakefs_got_in_parts_for_corrupted(job: Job) -> None:
    """docs/moving-buckets.md: the ETag of the source looks like an MD5, and is none."""
    body = io.BytesIO(TREE[LARGE])
    key = f"{job.source.before}{job.prefix}parts"
    job.world.client().upload_fileobj(body, job.source.bucket, key)
    words = ("copyto", f"gw:{job.source_path}parts", f"gw:{job.path}parts")
    with pytest.raises(AssertionError, match="corrupted on transfer: md5 hashes differ"):
        job.rclone(*words)
    assert not job.has_copy("parts")
    job.rclone(*words, "--ignore-checksum")
    job.assert_copied("parts", TREE[LARGE], NONE)


# --- file systems ---


def test_s3fs_copies_and_moves(job: Job) -> None:
    job.make(TREE)
    with file_system(job.here) as fs:
        for name, body in TREE.items():
            fs.cp_file(f"{job.source_path}{name}", f"{job.path}s3fs/{name}")
            job.assert_copied(f"s3fs/{name}", body)
        fs.mv(f"{job.source_path}{DEEP}", f"{job.path}s3fs/moved")
    job.assert_copied("s3fs/moved", TREE[DEEP])
    assert not job.has_source(DEEP)


def test_pyarrow_copies_and_moves(job: Job) -> None:
    arrow = pytest.importorskip("pyarrow.fs", reason="pyarrow is not installed (extra `dev`)")
    job.make(TREE)
    fs = arrow.S3FileSystem(
        endpoint_override=job.here.host,
        scheme="http",
        access_key=CLIENT.access_key_id,
        secret_key=CLIENT.secret_access_key,
        region="us-east-1",
    )
    for name, body in TREE.items():
        fs.copy_file(f"{job.source_path}{name}", f"{job.path}arrow/{name}")
        job.assert_copied(f"arrow/{name}", body)
    fs.move(f"{job.source_path}{DEEP}", f"{job.path}arrow/moved")
    job.assert_copied("arrow/moved", TREE[DEEP])
    assert not job.has_source(DEEP)
