"""Does the target refuse a body that its digest, Content-MD5 or checksum does not match?

Rules: each is tried where the gateway would trust the target: in PutObject and UploadPart, and
in DeleteObjects as the example of a document; with a right value, which it must accept, and with a
wrong one, which it must refuse with a 4xx error, because SDKs repeat a request after a 500.

A checksum is tried in each algorithm that the target keeps: HEAD shows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX, encode
from gateway.probe.findings import Findings
from gateway.probe.store import Answer, Store, content_md5

_OTHER = b"not the body"


@dataclass(frozen=True, slots=True)
class Claim:
    """One way to state a body's digest: a header, or the payload hash that is signed."""

    name: str
    headers: Callable[[bytes], dict[str, str]] = lambda _: {}
    signed: bool = False
    algorithm: str = ""  # of a checksum


# Sends a body that is what a claim says, or another one; whether it had its effect.
Send = Callable[[Store, Claim, bool], bool]


def checksum(algorithm: bytes, body: bytes) -> str:
    """The value of an x-amz-checksum-* header."""
    value = ALGORITHMS[algorithm][0]()
    value.update(body)
    return encode(value.digest()).decode()


def _checksum_claim(algorithm: bytes) -> Claim:
    name = (HEADER_PREFIX + algorithm).decode()
    return Claim(
        name,
        headers=lambda body: {name: checksum(algorithm, body)},
        algorithm=algorithm.decode(),
    )


_DIGEST = Claim("x-amz-content-sha256", signed=True)
_MD5 = Claim("Content-MD5", headers=lambda body: {"content-md5": content_md5(body)})


def try_integrity(store: Store, findings: Findings) -> None:
    """Fills in checksums, verifies_digest, verifies_md5, verifies_checksums, verifies_documents.

    `verifies_documents` needs everything verified in documents that is verified in uploads.
    """
    kept = [name for name in ALGORITHMS if _keeps(store, findings, name)]
    all_claims = {
        "verifies_digest": (_DIGEST,),
        "verifies_md5": (_MD5,),
        "verifies_checksums": tuple(map(_checksum_claim, kept)),
    }
    for capability, claims in all_claims.items():
        missed = _missed(store, claims, _UPLOADS) if claims else ["kept in any algorithm"]
        _flag(findings, capability, missed)
    verified = [
        claim for name, claims in all_claims.items() if findings.flags[name] for claim in claims
    ]
    _flag(findings, "verifies_documents", _missed(store, verified or [_MD5], _DOCUMENTS))


def _keeps(store: Store, findings: Findings, algorithm: bytes) -> bool:
    """Whether an object has its checksum afterwards."""
    key, body = store.new_key("checksum"), b"checksum"
    name, value = (HEADER_PREFIX + algorithm).decode(), checksum(algorithm, body)
    sent = store.put(key, body, {name: value})
    shown = store.ask("HEAD", key, headers={"x-amz-checksum-mode": "ENABLED"}).headers
    kept = sent.good and shown.get(name) == value
    how = "HEAD shows it" if kept else "HEAD does not show it" if sent.good else sent.code
    findings.word("checksums", algorithm.decode(), kept, how)
    return kept


def _missed(store: Store, claims: Iterable[Claim], ways: Mapping[str, Send]) -> list[str]:
    """Returns what is not verified: a wrong value is accepted, or a right one is not."""
    return [
        f"{claim.name} of {name}"
        for claim in claims
        for name, send in ways.items()
        if not send(store, claim, True) or send(store, claim, False)
    ]


def _flag(findings: Findings, capability: str, missed: list[str]) -> None:
    how = f"not {', '.join(missed)}" if missed else "a wrong value is refused"
    findings.flag(capability, not missed, how)


def _told(claim: Claim, body: bytes, right: bool) -> tuple[dict[str, str], str]:
    """Returns headers and payload hash for a body; wrong ones differ in the claim only."""
    about = body if right else _OTHER
    return claim.headers(about), hashlib.sha256(about if claim.signed else body).hexdigest()


def _put(store: Store, claim: Claim, right: bool) -> bool:
    key, body = store.new_key("integrity"), b"integrity"
    headers, payload = _told(claim, body, right)
    answer = store.ask("PUT", key, headers=headers, body=body, payload=payload)
    return _taken(answer, right) or store.stored(key) is not None


def _part(store: Store, claim: Claim, right: bool) -> bool:
    key, body = store.new_key("part"), b"a part"
    upload = store.begin_upload(key, claim.algorithm)
    headers, payload = _told(claim, body, right)
    query = f"partNumber=1&uploadId={quote(upload, safe='')}"
    return bool(upload) and _taken(store.ask("PUT", key, query, headers, body, payload), right)


def _taken(answer: Answer, right: bool) -> bool:
    """Whether a body was accepted, or refused with a 5xx error."""
    return answer.good or (not right and answer.status >= 500)


def _delete(store: Store, claim: Claim, right: bool) -> bool:
    key, _ = store.an_object("victim")
    document = deletion(key)
    headers, payload = _told(claim, document, right)
    if claim.signed:  # S3 requires one of the other two as well
        headers = {"content-md5": content_md5(document)}
    store.ask("POST", "", "delete=", headers, document, payload)
    return store.stored(key) is None


def deletion(*keys: str) -> bytes:
    """The document of a DeleteObjects."""
    objects = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    return f"<Delete>{objects}</Delete>".encode()


_UPLOADS: Mapping[str, Send] = {"PutObject": _put, "UploadPart": _part}
_DOCUMENTS: Mapping[str, Send] = {"DeleteObjects": _delete}
