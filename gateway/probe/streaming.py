"""Which of the streaming modes does the target take, with every checksum trailer?

Rules: a mode counts if PutObject and UploadPart both store the bytes without their framing and
without a word of it in Content-Encoding; unsigned trailers are tried over TLS only, because the
gateway sends them nowhere else.

Not here: whether trailers are verified, which the gateway does itself.
"""

from __future__ import annotations

from urllib.parse import quote

from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX
from fastpath.payload.choose import STREAMING, Mode
from fastpath.payload.framers import FRAME, ChunkFramer
from gateway.probe.findings import Findings
from gateway.probe.integrity import checksum
from gateway.probe.store import Store

_DATA = bytes(range(256)) * (FRAME // 256) + b"one frame and a piece"


def try_streaming(store: Store, findings: Findings) -> None:
    """Fill in streaming."""
    for name, mode in STREAMING.items():
        if not mode.signed and not store.secure:
            findings.say(f"streaming: {name.decode()}: not tried without TLS")
            continue
        algorithms: tuple[bytes | None, ...] = tuple(ALGORITHMS) if mode.trailers else (None,)
        missed = [
            f"{way.__name__.strip('_')} with {(algorithm or b'no trailer').decode()}"
            for algorithm in algorithms
            for way in (_object, _part)
            if not way(store, name.decode(), mode, algorithm)
        ]
        how = f"not {', '.join(missed)}" if missed else "stored without its framing"
        findings.word("streaming", name.decode(), not missed, how)


def _object(store: Store, name: str, mode: Mode, algorithm: bytes | None) -> bool:
    key = store.new_key("streaming")
    return _send(store, key, "", (name, mode, algorithm)) != "" and _is_clean(store, key)


def _part(store: Store, name: str, mode: Mode, algorithm: bytes | None) -> bool:
    key = store.new_key("streaming-part")
    upload = store.begin_upload(key)
    if not upload:
        return False
    query = f"partNumber=1&uploadId={quote(upload, safe='')}"
    etag = _send(store, key, query, (name, mode, algorithm))
    return store.complete_upload(key, upload, etag).good and _is_clean(store, key)


def _is_clean(store: Store, key: str) -> bool:
    answer = store.ask("GET", key)
    coded = "aws-chunked" in answer.headers.get("content-encoding", "")
    return answer.good and answer.body == _DATA and not coded


def _send(store: Store, key: str, query: str, form: tuple[str, Mode, bytes | None]) -> str:
    """Upload _DATA in a mode; the ETag, empty if it was refused."""
    name, mode, algorithm = form
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(_DATA)),
    }
    trailer, value = None, ""
    if algorithm is not None:
        value = checksum(algorithm, _DATA)
        trailer = (HEADER_PREFIX + algorithm, len(value))
        headers["x-amz-trailer"] = trailer[0].decode()
        headers["x-amz-sdk-checksum-algorithm"] = algorithm.decode().upper()
    framer = ChunkFramer(len(_DATA), signed=mode.signed, trailer=trailer)
    answer = store.ask_framed(key, query, headers, _DATA, (name, framer, value))
    return answer.headers.get("etag", "etag") if answer.good else ""
