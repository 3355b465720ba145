"""What must be there before the commands of a page: its configuration, a gateway, buckets.

Rules: a page that shows its configuration needs none here; what one says of an example ("a copy was
left", "both stores have the bucket") is made true here, and nothing more.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

from fastpath.ipc.process_identity import this_process
from fastpath.ipc.repair_lines import BEGUN, LeftUpload, RepairLine, written
from tests.documents.blocks import pages
from tests.documents.kinds import documents
from tests.documents.session import SCRIPTS, Session, Typed
from tests.documents.test_settings import REST, laid_over
from tests.repo.tree import ROOT

TARGETS = {
    "new": {"endpoint": "https://new.example.com"},
    "old": {"endpoint": "https://old.example.com", "health": "off"},
}
CONFIG = "gateway.yaml"


def _readme(session: Session) -> None:
    """The bucket that is to be moved, and the repository that it is moved to."""
    client = session.stores.bucket("s3", "old-s3-bucket")
    for number in range(2):
        client.put_object(Bucket="old-s3-bucket", Key=f"a/{number}", Body=b"moved")
    session.stores.lakefs.add_repository("lakefs-new-repo")


def _quickstart(session: Session) -> None:
    """No bucket of these names is there yet."""
    session.stores.reserve("first", "quick-data")
    session.stores.reserve("second", "second-data")


def _chains(session: Session) -> None:
    """The first example of the page."""
    first = next(one for one in pages()["docs/chains.md"] if one.language == "yaml")
    _write(session, laid_over(REST, documents(first.text)[0]))


def _custom_routers(session: Session) -> None:
    """Two configurations whose routers cannot be made."""
    raising = "class CustomRouter:\n    def __init__(self, config):\n        config['pattern']\n"
    session.write("custom_router.py", raising)
    for name, module in (("mistyped.yaml", "custom_routr"), ("raising.yaml", "custom_router")):
        routing = {"routing": {"custom": f"{module}:CustomRouter", "custom_reads": ["s3"]}}
        _write(session, laid_over(REST, routing), name)


def _lakefs(session: Session) -> None:
    session.environ["PYTHONPATH"] = str(ROOT)


def _migration(session: Session) -> None:
    """The buckets that are to be moved, and the repositories that they are moved to."""
    for bucket in ("invoices", "reports"):
        client = session.stores.bucket("s3", bucket)
        for number in range(2):
            client.put_object(Bucket=bucket, Key=f"a/{number}", Body=b"moved")
        session.stores.lakefs.add_repository(f"lakefs-{bucket}")


def _operations(session: Session) -> None:
    """`new` is served, `old` is out of use; the file says that it is to be behind `new`."""
    (session.directory / "admin-token").write_text("choose-a-long-random-token\n")
    (session.directory / "home/.config/fish/completions").mkdir(parents=True)
    other = {"lakefs": {}, "routing": {"default_target": "lakefs"}}
    _write(session, laid_over(_serving(target="old"), other), "old.yaml")
    _write(session, laid_over(_serving(target="new", fallback=["old"]), other), "new.yaml")
    session.stores.bucket("new", "scratch")
    _write(session, laid_over(_serving(target="new"), {"router": {"workers": 2}}))
    running = session.serve(Typed(["--config", CONFIG], session.directory, session.own))
    pid = str(running.supervisor_pid)
    running.wait_for_log("target new: is healthy")
    subprocess.run([f"{SCRIPTS}/s3gateway", "disable", "old", "--pid", pid], check=True)
    behind = _serving(target="new", fallback=["old"])
    _write(session, laid_over(behind, {"router": {"workers": 4}}))


def _serving(**rule: object) -> dict[str, Any]:
    """A configuration with `new` and `old`, and a rule for data-*."""
    return {
        "auth": REST["auth"],
        "admin": {"token_file": "/etc/s3gateway/admin-token"},
        "targets": laid_over(TARGETS, {"new": {"health": {"interval_seconds": 0.2}}}),
        "routing": {"default_target": "old", "rules": [{"pattern": "data-*", **rule}]},
    }


def _production(session: Session) -> None:
    """A gateway, and another configuration for it."""
    config = {**REST, "routing": {"default_target": "archive"}}
    _write(session, config)
    session.serve(Typed(["--config", CONFIG], session.directory, session.own))
    _write(session, {**config, "routing": {"default_target": "new"}}, "new.yaml")


def _profiles(session: Session) -> None:
    session.stores.reserve("archive", "scratch")
    _write(session, {**REST, "routing": {"default_target": "archive"}})


def _repair(session: Session) -> None:
    """The log of a worker that was killed while it copied to `archive`."""
    _write(session, {**REST, "routing": {"default_target": "archive"}})
    client = session.stores.bucket("archive", "bucket")
    upload = client.create_multipart_upload(Bucket="bucket", Key="a b")["UploadId"]
    left = LeftUpload("archive", b"bucket", b"a b", upload.encode(), "4730A96E00000001")
    ended = this_process()._replace(started=1)
    line = written(RepairLine(left, BEGUN, time.time(), 0, ended)).decode()
    (session.directory / "gateway.log").write_text(f"{line}\n")


def _troubleshooting(session: Session) -> None:
    """The configuration of the quick start, served."""
    _quickstart(session)
    (shown,) = (one for one in pages()["docs/quickstart.md"] if one.file == CONFIG)
    session.write(CONFIG, shown.text)
    session.serve(Typed(["--config", CONFIG], session.directory, session.own))


def _write(session: Session, config: dict[str, Any], name: str = CONFIG) -> None:
    text = json.dumps(config, indent=1)
    session.write(name, session.filled(text))


PREPARED: dict[str, Callable[[Session], None]] = {
    "README.md": _readme,
    "docs/chains.md": _chains,
    "docs/custom-routers.md": _custom_routers,
    "docs/lakefs.md": _lakefs,
    "docs/migration.md": _migration,
    "docs/operations.md": _operations,
    "docs/production.md": _production,
    "docs/profiles.md": _profiles,
    "docs/quickstart.md": _quickstart,
    "docs/repair.md": _repair,
    "docs/troubleshooting.md": _troubleshooting,
}
