"""Which streaming modes does the target accept, with every checksum trailer it keeps?

Rules: a mode counts if PutObject and UploadPart both store the bytes without their framing and
without naming it in Content-Encoding; a mode that fails is tried again without that header, and the
form in which more modes succeed is the target's; unsigned trailers are tried over TLS only, because
the gateway sends them nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from fastpath.payload.body_plan import STREAMING, Mode
from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX
from fastpath.payload.framers import FRAME, ChunkFramer
from gateway.probe.findings import Findings
from gateway.probe.integrity import checksum
from gateway.probe.store import Store

_DATA = bytes(range(256)) * (FRAME // 256) + b"one frame and a piece"


@dataclass(frozen=True, slots=True)
class _Form:
    """How a body is sent: the mode, whether Content-Encoding names it, and the trailer."""

    name: str
    mode: Mode
    named: bool
    algorithm: bytes | None

    @property
    def value(self) -> str:
        """Of the trailer."""
        return checksum(self.algorithm, _DATA) if self.algorithm is not None else ""


def try_streaming(store: Store, findings: Findings) -> None:
    """Fills in streaming and keeps_aws_chunked."""
    kept = findings.words.get("checksums", {})
    known = tuple(name for name in ALGORITHMS if kept.get(name.decode(), False))
    modes = {name.decode(): mode for name, mode in STREAMING.items() if mode.signed or store.secure}
    for left in STREAMING.keys() - {name.encode() for name in modes}:
        findings.say(f"streaming: {left.decode()}: not tried without TLS")
    trailers = known or (b"crc32",)
    missed = _tried(store, modes, trailers, named=True)
    unnamed = _tried(store, modes, trailers, named=False) if any(missed.values()) else {}
    better = _taken(unnamed) > _taken(missed)
    for name, ways in (unnamed if better else missed).items():
        how = f"not {', '.join(ways)}" if ways else "stored without its framing"
        findings.word("streaming", name, not ways, how)
    how = "more modes are taken without that header" if better else "not seen"
    findings.flag("keeps_aws_chunked", better, how)


def _tried(
    store: Store, modes: Mapping[str, Mode], known: tuple[bytes, ...], *, named: bool
) -> dict[str, list[str]]:
    """Returns, for each mode, what the target did not accept."""
    missed: dict[str, list[str]] = {}
    for name, mode in modes.items():
        algorithms: tuple[bytes | None, ...] = known if mode.trailers else (None,)
        missed[name] = [
            f"{way.__name__.strip('_')} with {(algorithm or b'no trailer').decode()}"
            for algorithm in algorithms
            for way in (_object, _part)
            if not way(store, _Form(name, mode, named, algorithm))
        ]
    return missed


def _taken(missed: Mapping[str, list[str]]) -> int:
    return sum(not ways for ways in missed.values())


def _object(store: Store, form: _Form) -> bool:
    key = store.new_key("streaming")
    return _send(store, key, "", form) != "" and _is_clean(store, key)


def _part(store: Store, form: _Form) -> bool:
    key = store.new_key("streaming-part")
    algorithm = (form.algorithm or b"").decode()
    upload = store.begin_upload(key, algorithm)
    if not upload:
        return False
    query = f"partNumber=1&uploadId={quote(upload, safe='')}"
    etag = _send(store, key, query, form)
    said = (algorithm, form.value) if algorithm else None
    return store.complete_upload(key, upload, etag, checksum=said).good and _is_clean(store, key)


def _is_clean(store: Store, key: str) -> bool:
    answer = store.ask("GET", key)
    coded = "aws-chunked" in answer.headers.get("content-encoding", "")
    return answer.good and answer.body == _DATA and not coded


def _send(store: Store, key: str, query: str, form: _Form) -> str:
    """Upload _DATA in a form; the ETag, empty if it was refused."""
    headers = {"x-amz-decoded-content-length": str(len(_DATA))}
    if form.named:
        headers["content-encoding"] = "aws-chunked"
    trailer, value = None, form.value
    if form.algorithm is not None:
        trailer = (HEADER_PREFIX + form.algorithm, len(value))
        headers["x-amz-trailer"] = trailer[0].decode()
        headers["x-amz-sdk-checksum-algorithm"] = form.algorithm.decode().upper()
    framer = ChunkFramer(len(_DATA), signed=form.mode.signed, trailer=trailer)
    answer = store.ask_framed(key, query, headers, _DATA, (form.name, framer, value))
    return answer.headers.get("etag", "etag") if answer.good else ""
