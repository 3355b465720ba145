"""A worker is killed while its upload at a store is under way, and `s3gateway repair` ends it.

The worker's operation is the test's own, up to its line in the log: what a copy does is not looked
at here.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastpath.ipc.repair_lines import LeftUpload, written
from gateway.cli.main import main
from gateway.demo.seaweed import Keys
from tests.compat.live import s3_client
from tests.compat.shared import Store
from tests.doubles.lakefs import LakeFS
from tests.process.harness import open_config, wait_until
from tests.process.test_defects import Broken
from tests.unit.fastpath.ipc.test_repair_lines import LINE

# A HEAD of an object: the worker logs the upload that the request names, and is killed.
_LEAVING = """
def change():
    import os
    from fastpath.composed.operation import Composed
    from fastpath.ipc.repair_lines import LeftUpload
    from fastpath.worker.state import WorkerState

    async def leave(request):
        place = request.admitted.upstream_address
        upload_id = request.head.fields[b"x-upload-id"]
        request_id = request._exchange.request_id
        log = request._worker.log
        left = LeftUpload("main", place.bucket, place.key, upload_id, request_id)
        if log.repair(left):
            os.kill(os.getpid(), 9)

    install = WorkerState.install
    def install_too(self, snapshot):
        self.composed = {"HeadObject": Composed(leave, is_always=True)}
        install(self, snapshot)
    WorkerState.install = install_too
in_child(workers, change)
"""


@contextlib.contextmanager
def _serving(config: dict[str, object], **flags: object) -> Iterator[Broken]:
    """One whose messages do not say where it listens."""
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    listen = [f"127.0.0.1:{port}"]
    with Broken(config, _LEAVING, workers=1, listen=listen, **flags) as gateway:
        gateway.url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(gateway), "it serves", 30)
        yield gateway


def _answers(gateway: Broken) -> bool:
    try:
        return gateway.request("GET", "/-/healthz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_killed_worker_left_is_found_in_the_log_and_aborted(
    form: str, stores: dict[str, Store], tmp_path: Path, prefix: str
) -> None:
    store = stores["s3"]
    client = s3_client(store.endpoint, store.keys)
    bucket, key = f"left-{prefix[:12]}", "a b/é+%"
    client.create_bucket(Bucket=bucket)
    upload_id = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = {"Bucket": bucket, "Key": key, "UploadId": upload_id, "PartNumber": 1}
    client.upload_part(**part, Body=b"half of it")
    config = open_config(store.endpoint)
    pair = {
        "access_key_id": store.keys.access_key_id,
        "secret_access_key": store.keys.secret_access_key,
    }
    config["targets"] = {"main": {"endpoint": store.endpoint, "profile": "seaweedfs", **pair}}
    log, file = tmp_path / "gateway.log", tmp_path / "gateway.json"
    with _serving(config, log_level="error", log_format=form) as gateway:
        path = f"/{bucket}/a%20b/%C3%A9%2B%25"
        with contextlib.suppress(OSError, http.client.HTTPException):
            gateway.request("HEAD", path, headers={"x-upload-id": upload_id})
        gateway.wait_for_log(r'"kind":"repair".*"target":"main"')
        log.write_text("\n".join(gateway.log))
        file.write_text((gateway.directory / "gateway.yaml").read_text())
        gateway.stop()

    def repair(*words: str) -> str:
        done = CliRunner().invoke(main, ["repair", str(log), "--config", str(file), *words])
        assert done.exit_code == 0, done.output
        return done.output

    def uploads() -> int:
        return len(client.list_multipart_uploads(Bucket=bucket).get("Uploads", []))

    assert f"target main: {bucket}/a%20b/%C3%A9+%25 upload {upload_id}" in repair("--show")
    assert uploads() == 1
    assert "uploads: 1 left (1 aborted), 0 done" in repair()
    assert uploads() == 0
    repair()


def test_an_upload_at_lakefs_is_aborted_and_then_gone(tmp_path: Path) -> None:
    """The lakeFS here is the double of docs/lakefs.md."""
    with LakeFS() as lakefs:
        lakefs.add_repository("repo")
        ((key_id, secret),) = lakefs.keys.items()
        client = s3_client(lakefs.endpoint, Keys(key_id, secret))
        upload_id = client.create_multipart_upload(Bucket="repo", Key="main/a b")["UploadId"]
        left = LeftUpload("lakefs", b"repo", b"main/a b", upload_id.encode(), "0A1B")
        (tmp_path / "gateway.log").write_bytes(written(LINE._replace(upload=left)))
        pair = {"access_key_id": key_id, "secret_access_key": secret}
        config = {
            "auth": {"mode": "open"},
            "targets": {"lakefs": {"endpoint": lakefs.endpoint, "profile": "lakefs", **pair}},
            "routing": {"default_target": "lakefs"},
        }
        (tmp_path / "gateway.yaml").write_text(json.dumps(config))
        words = ["repair", "--now", str(tmp_path / "gateway.log")]
        words += ["--config", str(tmp_path / "gateway.yaml")]
        first, second = (CliRunner().invoke(main, words) for _ in range(2))
        assert (first.exit_code, second.exit_code) == (0, 0), first.output
        assert first.stdout.endswith(": aborted\n")
        assert lakefs.store.uploads == {}
        assert second.stdout.endswith(": gone already (NoSuchKey)\n")
