"""One request head -> what is to be done with it, or the S3 error that refuses it.

    head -> address -> operation -> identity -> permission -> decision -> signer

Rules: no I/O, and no state but the bucket cache; every refusal is an `S3Error`; the order is AWS's
(what can be said of the request itself, then who asks, then what they may do); nothing is looked up
in the routing table before the caller is known; the permission check sees the classified operation
and the copy source, never the bare HTTP method.

Not here: bytes on either wire (`forward`, `reply`), bodies (`exchange`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from fastpath.dialects import translate
from fastpath.dialects.translation import ClientRequest, Translation
from fastpath.errors import (
    ACCESS_DENIED,
    ANONYMOUS,
    AUTH_MECHANISMS,
    INVALID_ARGUMENT,
    INVALID_REQUEST,
    NOT_IMPLEMENTED,
    REQUEST_LOOP,
    SERVICE_UNAVAILABLE,
    S3Error,
)
from fastpath.http.head import RequestHead
from fastpath.http.query import is_enforced_in_query, parse_query, presigned_headers
from fastpath.request.implied_operations import implied
from fastpath.response.own import Answer
from fastpath.routing.identities import ANYBODY, NOBODY, Caller, unverified
from fastpath.routing.snapshot import Snapshot, Target
from fastpath.routing.table import Decision
from fastpath.s3.addressing import (
    COPY_SOURCE,
    Address,
    is_only_slashes,
    locate,
    locate_copy_source,
    locate_with_plus_as_space,
    only_slashes_refused,
    plus_as_space,
)
from fastpath.s3.metadata import check_metadata
from fastpath.s3.operations import BODY_METHODS, OPERATIONS, Operation, classify
from fastpath.signing.authentication import authenticate, claimed_key_id
from fastpath.signing.sigv4.sign import Signer, Unsigned
from fastpath.signing.sigv4.verify import (
    STREAMING_MODES,
    STREAMING_UNSIGNED_TRAILER,
    UNSIGNED_PAYLOAD,
    Proof,
)

HOP_NAME = b"s3gateway-"  # what a gateway calls itself in Via, before its instance
MAX_HOPS = 4  # gateways in a row; a longer chain is a circle through replicas

RENAME_SOURCE = b"x-amz-rename-source"
POST_OBJECT = OPERATIONS["PostObject"]
PREFLIGHT = OPERATIONS["Preflight"]

_HEX_DIGEST = re.compile(rb"[0-9a-fA-F]{64}\Z")
_READ_OF_A_COPY = OPERATIONS["GetObject"]
_PUT_OBJECT = OPERATIONS["PutObject"]

_CURRENT_VERSION = (b"versionId", b"null")  # of a bucket without versions: the object itself

Query = Sequence[tuple[bytes, bytes]]


class Admission:
    """What has been found out about a request; complete once `admit` returns.

    It is filled in on the way, so that a refusal can still be logged with what was known.
    """

    __slots__ = (
        "added",
        "address",
        "caller",
        "decision",
        "operation",
        "payload",
        "presigned_names",
        "proof",
        "restated",
        "signer",
        "target",
        "translation",
    )

    def __init__(self) -> None:
        self.address: Address | None = None
        self.added: Sequence[tuple[bytes, bytes]] = ()  # headers that came in the query alone
        self.presigned_names: Collection[bytes] = ()  # names of all that came in the query
        self.operation: Operation | None = None
        self.caller: Caller = ANYBODY
        self.payload = UNSIGNED_PAYLOAD
        self.proof: Proof | None = None  # None: nobody is verified
        self.restated: Sequence[tuple[bytes, bytes]] = ()  # headers that are sent in other words
        self.decision: Decision | None = None
        self.target: Target | None = None
        self.signer: Signer | Unsigned | None = None
        self.translation: Translation | None = None  # None: it goes up as it is

    @property
    def own_answer(self) -> Answer | None:
        """The answer that is known without the target, once the body is good."""
        return self.translation.own_answer if self.translation is not None else None


def admit(head: RequestHead, snapshot: Snapshot, now: float, admission: Admission) -> None:
    """Decide about one request, filling in `admission`; `now` in epoch seconds. Raises S3Error.

    Without a signer afterwards, it is a PostObject (who asks, and for what, is in its body), or a
    preflight that is answered here.
    """
    _refuse_circle(head, snapshot)
    address = admission.address = locate(head, snapshot.domains)
    query: Query = parse_query(head.query) if head.query else ()
    meant, rest = _lift(head, query, admission) if query else (head, query)
    operation = admission.operation = classify(head.method, address, rest, meant.fields)
    if operation is POST_OBJECT:
        _refuse_signed_form(head, query)
        return
    if operation is PREFLIGHT:
        if snapshot.cors is not None and snapshot.cors.forward:
            admission.caller = NOBODY
            _permit(meant, rest, snapshot, admission)
        return
    _identify(head, query, address, snapshot, now, admission)
    _permit(meant, rest, snapshot, admission)


def admit_form(
    head: RequestHead, address: Address, caller: Caller, snapshot: Snapshot, admission: Admission
) -> None:
    """Decide about the PutObject that a form means, sent by `caller`. Raises S3Error."""
    admission.operation = _PUT_OBJECT
    admission.address = address
    admission.caller = caller
    check_metadata(_PUT_OBJECT, head.fields)
    _permit(head, (), snapshot, admission)


def _refuse_signed_form(head: RequestHead, query: Query) -> None:
    """A form is signed in its fields; a second signature could be somebody else's."""
    signed = any(name.lower() in (b"x-amz-signature", b"signature") for name, _ in query)
    if signed or head.fields.get(b"authorization"):
        raise S3Error(AUTH_MECHANISMS, ("ArgumentName", "Authorization"))


def _permit(head: RequestHead, query: Query, snapshot: Snapshot, admission: Admission) -> None:
    """Permission, decision, signer; head and query as they are meant."""
    address, operation, caller = admission.address, admission.operation, admission.caller
    assert address is not None  # located
    assert operation is not None
    if caller.grants is not None:
        _check_rights(head, query, operation, address, caller)
    decision = snapshot.routing.plan(address.bucket).decide(operation.routed_as.name, caller.name)
    target = snapshot.targets[decision.target]
    admission.decision = decision
    admission.target = target
    _refuse_beyond(target, operation, caller, address)
    overlooked = target.profile.overlooks.get(operation.name)
    if overlooked is not None:
        _refuse_overlooked(overlooked, query, head)
    admission.signer = snapshot.signer(target, caller)
    if caller is NOBODY:
        admission.signer = Unsigned(target.region)
    elif admission.signer is None:
        raise S3Error(SERVICE_UNAVAILABLE)
    if COPY_SOURCE in head.fields:
        head = _restated(head, COPY_SOURCE, admission)
        _check_copy_source(head, snapshot, caller, target)
    if RENAME_SOURCE in head.fields:
        head = _restated(head, RENAME_SOURCE, admission)
        _check_rename_source(head, address)
    dialect = target.profile.dialect
    if dialect is not None or operation.is_translated:
        admission.translation = translate(
            dialect,
            ClientRequest(
                operation.name,
                address.bucket,
                address.key,
                address.path,
                query,
                head.fields,
                head.headers,
                target.region,
                head.path,
                target.drops,
            ),
        )


def _check_rights(
    head: RequestHead, query: Query, operation: Operation, address: Address, caller: Caller
) -> None:
    """The right to the operation, and to those that its headers make it amount to besides."""
    if not caller.may(operation.name, address.bucket):
        raise S3Error(ACCESS_DENIED)
    for other in implied(operation, head.fields, query):
        if not caller.may(other, address.bucket):
            raise S3Error(ACCESS_DENIED)


def _refuse_circle(head: RequestHead, snapshot: Snapshot) -> None:
    via = head.fields.get(b"via")
    if via is None or HOP_NAME not in via:
        return
    if HOP_NAME + snapshot.instance in via or via.count(HOP_NAME) >= MAX_HOPS:
        raise S3Error(REQUEST_LOOP)


def _lift(head: RequestHead, query: Query, admission: Admission) -> tuple[RequestHead, Query]:
    """The head and the query as they are meant: headers that a presigner moved are back in place.

    A signature is verified over what was sent; everything else looks at what is meant. A header
    that was sent as well, and so was signed as well, stays what it is. What S3 does not enforce in
    a query goes no further.
    """
    presigned = presigned_headers(query)
    if not presigned:
        return head, query
    names = {name for name, _ in presigned}
    added = [f for f in presigned if f[0] not in head.fields and is_enforced_in_query(f[0])]
    admission.presigned_names, admission.added = names, added
    meant = replace(head, headers=[*head.headers, *added], fields={**head.fields, **dict(added)})
    return meant, [pair for pair in query if pair[0].lower() not in names]


def _identify(
    head: RequestHead,
    query: Query,
    address: Address,
    snapshot: Snapshot,
    now: float,
    admission: Admission,
) -> None:
    if snapshot.open:
        admission.payload = _claimed_payload(head)
        return
    try:
        proof = authenticate(head, query, address, snapshot.callers, snapshot.accepted, now)
    except S3Error as error:
        if error.kind is not ANONYMOUS or not snapshot.anonymous:
            claimed = claimed_key_id(head, query)
            admission.caller = unverified(claimed) if claimed else ANYBODY
            raise
        admission.caller = NOBODY
        admission.payload = _unsigned_payload(head)
        return
    admission.caller = snapshot.callers[proof.identity.access_key_id]
    admission.payload = proof.payload
    admission.proof = proof
    if proof.plus_as_space:
        admission.address = locate_with_plus_as_space(head, snapshot.domains)


def _unsigned_payload(head: RequestHead) -> bytes:
    """The payload hash of nobody's request: nobody signs chunks either (AWS errors 3.24)."""
    claimed = head.fields.get(b"x-amz-content-sha256", UNSIGNED_PAYLOAD)
    if claimed.startswith(b"STREAMING-") and claimed != STREAMING_UNSIGNED_TRAILER:
        raise S3Error(
            INVALID_REQUEST,
            message="Anonymous requests don't support this x-amz-content-sha256 value. Please use "
            "UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.",
        )
    return _claimed_payload(head)


def _claimed_payload(head: RequestHead) -> bytes:
    """The payload hash of a request nobody verifies.

    One that is no digest is no body's: AWS compares all the same (versitygw issue 1423).
    """
    claimed = head.fields.get(b"x-amz-content-sha256", UNSIGNED_PAYLOAD)
    if claimed in STREAMING_MODES:
        return claimed
    if claimed.startswith(b"STREAMING-"):
        # Passed on unread, the chunk framing would be stored as if it were the object.
        raise S3Error(
            NOT_IMPLEMENTED,
            ("Header", "x-amz-content-sha256"),
            ("Value", claimed.decode("latin-1")),
        )
    if _HEX_DIGEST.match(claimed):
        return claimed.lower()
    return claimed if head.method in BODY_METHODS else UNSIGNED_PAYLOAD


def _refuse_beyond(target: Target, operation: Operation, caller: Caller, address: Address) -> None:
    """Refuse what this caller may not send to this target, or what the target has not."""
    if not caller.reaches(target.name):
        raise S3Error(ACCESS_DENIED)
    profile = target.profile
    if caller is NOBODY and not profile.anonymous:
        raise S3Error(ACCESS_DENIED)
    if profile.refuses(operation.name):
        raise S3Error(
            NOT_IMPLEMENTED,
            message=f"{operation.name} is not available on the storage that serves this bucket.",
        )
    if profile.mistakes_keys and address.key and is_only_slashes(address.key):
        raise only_slashes_refused()


def _refuse_overlooked(names: frozenset[bytes], query: Query, head: RequestHead) -> None:
    """Refuse what the target would take for a request without this parameter or header.

    A condition that is empty is none, to S3 as well.
    """
    found = [pair[0] for pair in query if pair[0] in names and pair != _CURRENT_VERSION]
    found += [name for name in names if name in head.fields and not _is_void(name, head.fields)]
    if found:
        raise S3Error(
            NOT_IMPLEMENTED,
            message=f"{found[0].decode()} is not available on the storage that serves this bucket.",
        )


def _is_void(name: bytes, fields: Mapping[bytes, bytes]) -> bool:
    return b"if-" in name and not fields[name]


def _restated(head: RequestHead, name: bytes, admission: Admission) -> RequestHead:
    """The head with a source in which no `+` stands raw, so that every target reads the same key.

    S3 reads a space there (rclone escapes it for that reason); a version behind it stays.
    """
    key, question, version = head.fields[name].partition(b"?")
    if b"+" not in key:
        return head
    value = plus_as_space(key) + question + version
    others = [field for field in head.headers if field[0] != name]
    if len(others) < len(head.headers) - 1:
        return head  # two of them: refused
    if any(field[0] == name for field in admission.added):
        kept = [field for field in admission.added if field[0] != name]
        admission.added = [*kept, (name, value)]
    else:
        admission.restated = [*admission.restated, (name, value)]
    return replace(head, headers=[*others, (name, value)], fields={**head.fields, name: value})


def _check_copy_source(
    head: RequestHead, snapshot: Snapshot, caller: Caller, target: Target
) -> None:
    """A copy reads its source: the caller must be allowed to, and it must lie on the same target.

    A source elsewhere is refused rather than looked for on the wrong store (CopyObject across
    targets is not there yet).
    """
    bucket = _source_bucket(head, COPY_SOURCE)
    if not caller.may(_READ_OF_A_COPY.name, bucket):
        raise S3Error(ACCESS_DENIED)
    source = snapshot.routing.plan(bucket).decide(_READ_OF_A_COPY.name, caller.name)
    if source.target != target.name:
        raise S3Error(
            NOT_IMPLEMENTED,
            ("Header", COPY_SOURCE.decode()),
            message="Copying between two storage targets is not supported.",
        )


def _check_rename_source(head: RequestHead, address: Address) -> None:
    """A rename stays in its bucket; that its source may be deleted is `implied`."""
    if _source_bucket(head, RENAME_SOURCE) != address.bucket:
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", RENAME_SOURCE.decode()),
            message="An object can be renamed within its bucket only.",
        )


def _source_bucket(head: RequestHead, name: bytes) -> bytes:
    values = [value for sent, value in head.headers if sent == name]
    if len(values) != 1:  # which one a target believes is anybody's guess
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", name.decode()),
            message="Only one copy source may be given.",
        )
    return locate_copy_source(values[0], name.decode())[0]
