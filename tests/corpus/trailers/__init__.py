"""The corpus of unsigned trailers: uploads in STREAMING-UNSIGNED-PAYLOAD-TRAILER, good and bad.

`cases()` gives every case; `Case.upload(client, path, upload_id)` the signed head and the raw body
that follow from it, so that one case runs against the pure reader, on the rig and over sockets.

Fields of a case: `headers` are signed beside those of `GOOD` (an empty value leaves one out),
`body` is sent as it stands, `part` makes it an UploadPart, `expect` is {accepted = data} or status,
code and message. Of `source`, "versitygw NAME" is a test of its
tests/integration/unsigned_streaming_payload_trailer.go, the rest is as in `corpus/sources.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.doubles.aws_chunked import UNSIGNED_TRAILER
from tests.doubles.signing import RawClient

GOOD = {
    "x-amz-content-sha256": UNSIGNED_TRAILER,
    "content-encoding": "aws-chunked",
    "x-amz-decoded-content-length": "5",
    "x-amz-trailer": "x-amz-checksum-crc64nvme",
}
UPLOAD_PART = "?partNumber=1&uploadId="


@dataclass(frozen=True, kw_only=True)
class Case:
    """One upload and its answer."""

    name: str
    source: str
    body: str
    expect: Mapping[str, str | int]
    headers: Mapping[str, str] = field(default_factory=dict)
    part: bool = False

    @property
    def fields(self) -> dict[str, str]:
        return {name: value for name, value in {**GOOD, **self.headers}.items() if value}

    @property
    def wire(self) -> bytes:
        return self.body.encode()

    @property
    def accepted(self) -> bytes | None:
        """What a target must get, or None if the upload is refused."""
        data = self.expect.get("accepted")
        return None if data is None else str(data).encode()

    def upload(self, client: RawClient, path: str, upload_id: str) -> tuple[bytes, bytes]:
        """Head and body; the connection ends behind them. `upload_id` is that of a part."""
        target = path + (UPLOAD_PART + upload_id if self.part else "")
        return client.head("PUT", target.encode(), len(self.wire), self.fields), self.wire


def cases() -> list[Case]:
    """Every case, in the order of the files."""
    files = sorted(Path(__file__).parent.glob("*.toml"))
    return [Case(**entry) for path in files for entry in tomllib.loads(path.read_text())["case"]]
