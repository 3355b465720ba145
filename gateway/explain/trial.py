"""Signs a request, admits it as a worker would, and returns the decision or the client's error.

Rules: the outcome is that of `fastpath.request.admission`; the rules that were tried are shown even
if a request is refused before, provided that its bucket and operation are known; without an
identity the caller is allowed everything, so that the rules can be examined alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fastpath.errors import S3Error
from fastpath.http.head import RequestHead, parse_request_head
from fastpath.http.query import parse_query
from fastpath.request.admission import PREFLIGHT, Unadmitted, admit, admit_form
from fastpath.request.decision import asked_about
from fastpath.request.implied_operations import implied
from fastpath.request.trail import Trail
from fastpath.request.understood import NOT_PRESIGNED, Understood
from fastpath.request.virtual_host import host_and_path
from fastpath.response.cors import answer_preflight
from fastpath.routing.identities import Caller
from fastpath.routing.snapshot import Snapshot, Target, load_snapshot
from fastpath.routing.table import Step
from fastpath.routing.table import explain as steps_of
from fastpath.s3.addressing import Address, checked_key
from fastpath.s3.operations import Operation
from fastpath.signing.sigv4.sign import Credentials, Signer
from gateway.config.compile import compile_snapshot
from gateway.config.schema import Config
from gateway.explain.request import Request

EVERYBODY = Caller("", b"EXPLAIN", b"explain")  # may do everything, and no rule names it
_REGION = b"us-east-1"  # of a client's signature: any is taken
_UNSIGNED = b"UNSIGNED-PAYLOAD"
_OWN = frozenset(("authorization", "x-amz-content-sha256", "x-amz-date"))  # of the signature here


@dataclass(slots=True)
class Outcome:
    """What was decided. No operation: the request was not understood; no error: it goes up."""

    operation: Operation | None = None
    steps: list[Step] = field(default_factory=list)
    target: Target | None = None
    endpoint: str = ""
    error: S3Error | None = None
    remarks: list[str] = field(default_factory=list)


def snapshot_of(model: Config) -> Snapshot:
    """Compiles a configuration as a worker does; unresolved credentials are placeholders."""
    stand_in = {"access_key_id": "X", "secret_access_key": "X", "token": None}
    known: Mapping[str, Mapping[str, object]] = {
        name: stand_in for name, target in model.targets.items() if target.source is not None
    }
    return load_snapshot(0, {"instance": "explain", **compile_snapshot(model, known)})


def try_out(request: Request, key: str, caller: Caller, model: Config) -> Outcome:
    """Admits the request of `caller`. `key` is that of a form, which has it in its body."""
    snapshot = snapshot_of(model)
    callers = {**snapshot.callers, EVERYBODY.access_key_id: EVERYBODY}
    snapshot = replace(snapshot, callers=callers)
    trail, outcome = Trail(), Outcome(remarks=list(request.remarks))
    head: RequestHead | None = None
    try:
        head = _signed(request, caller, snapshot)
        now = time.time()
        admitted = admit(head, snapshot, now, trail)
        if isinstance(admitted, Unadmitted):
            address = admitted.address
            if admitted.is_form:
                outcome.remarks.append(
                    "a browser's form: signed and named in its body, sent as PUT"
                )
                form = Address(address.bucket, checked_key(key.encode()), True, head.path)
                admit_form(head, form, caller, snapshot, now, trail)
            else:
                answer_preflight(snapshot.cors, head.fields, address)
                outcome.remarks.append("the gateway answers preflights itself, by auth.cors")
    except S3Error as error:
        outcome.error = error
    _tell(outcome, trail, head, caller, snapshot, model)
    return outcome


def _signed(request: Request, caller: Caller, snapshot: Snapshot) -> RequestHead:
    """Returns the head as it would arrive. Raises S3Error if a worker would refuse it."""
    host = "localhost"
    if snapshot.open or request.method == "OPTIONS":
        return parse_request_head(request.raw(host), snapshot.limits)
    bare = parse_request_head(request.raw(host), snapshot.limits)
    payload = bare.fields.get(b"x-amz-content-sha256", _UNSIGNED)
    request.headers = [pair for pair in request.headers if pair[0] not in _OWN]
    signed = [
        pair
        for pair in bare.headers
        if pair[0].startswith(b"x-amz-") and pair[0].decode("latin-1") not in _OWN
    ]
    credentials = Credentials(caller.access_key_id, caller.secret)
    lines = Signer(credentials, _REGION).sign(
        bare.method, bare.path, bare.query, host.encode(), signed, payload, time.time()
    )
    if bare.method == b"POST" and not bare.query and b"/" not in bare.path[1:]:
        lines = []  # a form, which is signed in its body
    return parse_request_head(request.raw(host, lines), snapshot.limits)


def _tell(
    outcome: Outcome,
    trail: Trail,
    head: RequestHead | None,
    caller: Caller,
    snapshot: Snapshot,
    model: Config,
) -> None:
    """Returns the outcome with what is known so far, and why it ended there."""
    address, operation = trail.address, trail.operation
    if address is None or operation is None or head is None:
        return
    outcome.operation = operation
    if operation is PREFLIGHT and trail.decision is None:
        return
    routed = operation.routed_as
    payload = head.fields.get(b"x-amz-content-sha256", b"")
    query = parse_query(head.query) if head.query else []
    understood = Understood(head, query, address, operation, (payload, None), NOT_PRESIGNED)
    asked = asked_about(understood, caller, time.time())
    outcome.steps = steps_of(snapshot.routing, model.rules, asked)
    won = next(step for step in outcome.steps if step.won).rule
    name = snapshot.routing.default.target if won is None else won.target
    target = outcome.target = snapshot.targets[name]
    host, _ = host_and_path(target, Address(address.bucket, b"", True, b"/" + address.bucket))
    outcome.endpoint = f"{'https' if target.route.tls else 'http'}://{host.decode()}"
    if routed is not operation:
        text = f"{operation.name} goes where its upload went: routed as {routed.name}"
        outcome.remarks.append(text)
    if outcome.error is not None:
        outcome.remarks += _reasons(operation, address.bucket, head, caller, snapshot, target)


def _reasons(
    operation: Operation,
    bucket: bytes,
    head: RequestHead,
    caller: Caller,
    snapshot: Snapshot,
    target: Target,
) -> list[str]:
    """Says what about the identity or the target prevents the request."""
    who = f"identity {caller.name}"
    on = f" on {bucket.decode()}" if bucket else ""
    reasons = []
    if not caller.may(operation.name, bucket):
        reasons.append(f"{who} is not allowed {operation.name}{on}")
    query = parse_query(head.query) if head.query else []
    reasons += [
        f"{who} is not allowed {other}{on}, which a header amounts to"
        for other in sorted(implied(operation, head.fields, query))
        if not caller.may(other, bucket)
    ]
    if not caller.reaches(target.name):
        reasons.append(f"{who} does not reach target {target.name}")
    if target.profile.refuses(operation.name):
        reasons.append(f"a target of profile {target.profile.name} has no {operation.name}")
    if snapshot.signer(target, caller) is None:
        reasons.append(f"target {target.name} has no credentials for this request")
    return reasons
