"""Chapter: what a merged list of objects costs, beside a list of one target of as many keys.

    bucket `one`             all keys, from one target: the kernel moves the answer (splice)
    bucket `one`, copied     the same by a gateway that splices nothing, as none does over https
    bucket `two`             the same keys, half of them on each of two targets

Rules: the targets make their pages when they are asked for, in processes of their own, and the
client reads page after page, each of 1,000 keys; the lists are read in turns, each through one
worker on the same core; CPU is of all processes of the gateway.
"""

from __future__ import annotations

import http.client
import re
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from loadtest.bench import contenders, machine, report, workloads
from loadtest.bench.chapters import Chapter, Section
from loadtest.bench.contenders import KEY_ID, REGION, SECRET, Contender, Settings, Upstream
from tests.doubles.generated_lists import COUNT, generated

GOAL = 2.5  # lists of one target
KEYS = 1000  # of a page
_ROUNDS = 3
_PAGES = COUNT // KEYS
_TURN = 250  # pages of each list in turns, so that both have the same neighbours
_TOKEN = re.compile(rb"<NextContinuationToken>([^<]*)<")
_NEVER = 1 << 30  # bytes of an answer from which it is spliced


class _Reader:
    """Reads a list page after page, again and again from its beginning."""

    def __init__(self, gateway: Contender, bucket: str) -> None:
        self._gateway = gateway
        self._bucket = bucket
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
        self._token = b""
        self._left = _PAGES

    def turn(self) -> float:
        """Read pages; CPU seconds of the gateway."""
        began = self._gateway.cpu_seconds()
        for _ in range(_TURN):
            self._read_page()
        return self._gateway.cpu_seconds() - began

    def _read_page(self) -> None:
        query = "encoding-type=url&list-type=2"
        if self._token:
            query = f"continuation-token={quote(self._token, safe='')}&{query}"
        target = f"/{self._bucket}?{query}"
        request = AWSRequest("GET", f"http://127.0.0.1:{self._gateway.port}{target}")
        S3SigV4Auth(Credentials(KEY_ID, SECRET), "s3", REGION).add_auth(request)
        self._connection.request("GET", target, headers=dict(request.prepare().headers))
        answer = self._connection.getresponse()
        document = answer.read()
        if answer.status != 200 or document.count(b"<Key>") != KEYS:
            raise RuntimeError(f"no page of {KEYS} keys: {document[:500]!r}")
        found = _TOKEN.search(document)
        self._left -= 1
        if bool(self._left) != bool(found):
            raise RuntimeError(f"{self._left} pages are left of the list {self._bucket}")
        self._token = found[1] if found else b""
        self._left = self._left or _PAGES


def measure() -> Section:
    """Read both lists in turns."""
    with (
        generated("all") as one,
        generated("first") as first,
        generated("second") as second,
        tempfile.TemporaryDirectory(prefix="s3gateway-bench-") as name,
    ):
        targets = {target: _target(url) for target, url in (("new", first), ("old", second))}
        rules = [{"pattern": "two", "target": "new", "fallback": ["old"]}]
        upstream = Upstream(urlsplit(one).port or 0, None)
        gateways = []
        try:
            for number, limits in enumerate(({}, {"splice_bytes": _NEVER})):
                directory = Path(name, str(number))
                directory.mkdir()
                settings = Settings(rules=rules, targets=targets, limits=limits)
                gateways.append(contenders.gateway(upstream, directory, settings))
            cpu = _read_all(*gateways)
        finally:
            for gateway in gateways:
                gateway.stop()
    return {
        "date": workloads.today(),
        "machine": machine.description(),
        "keys": COUNT,
        "rounds": _ROUNDS,
        "cpu_us": {bucket: 1e6 * found / _TURN for bucket, found in cpu.items()},
    }


def _target(endpoint: str) -> Mapping[str, object]:
    return {
        "profile": "s3",
        "endpoint": endpoint,
        "region": REGION,
        "access_key_id": "AKIDBENCHOTHER",
        "secret_access_key": "bench-other-secret",
    }


def _read_all(splicing: Contender, copying: Contender) -> Mapping[str, float]:
    """CPU seconds of a turn of each list: the median."""
    readers = {
        "one": _Reader(splicing, "one"),
        "copied": _Reader(copying, "one"),
        "two": _Reader(splicing, "two"),
    }
    turns: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(_ROUNDS * _PAGES // _TURN):
        for name, reader in readers.items():
            turns[name].append(reader.turn())
    return {name: statistics.median(found) for name, found in turns.items()}


def table(section: Section) -> str:
    """Markdown."""
    one, copied, two = (section["cpu_us"][name] for name in ("one", "copied", "two"))
    return "\n".join(
        [
            f"| {section['keys']:,} keys, {KEYS:,} a page | CPU of a page | / spliced | / copied |",
            "|---|---|---|---|",
            f"| a list of one target, spliced | {report.cell(one)} | 1 |  |",
            f"| the same, copied | {report.cell(copied)} | {copied / one:.2f} | 1 |",
            f"| merged, of two targets (goal {GOAL:g}) | {report.cell(two)} | {two / one:.2f} "
            f"| {two / copied:.2f} |",
        ]
    )


CHAPTER = Chapter("lists", measure, table)
