"""Signs a request, admits it as a worker would, and returns the decision or the client's error.

Rules: the outcome is that of `fastpath.request.admission` and, if the keys of a batch decide, of
`fastpath.composed.finding_targets`; what rules look at is the record that these make; the rules
that were tried are shown even if a request is refused before, provided that its bucket and
operation are known; without an identity the caller is allowed everything, so that the rules can be
examined alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape

from fastpath.composed.finding_targets import (
    find_target,
    placed_by_answer,
    placed_by_rules,
    question_of,
)
from fastpath.composed.request_body import RequestBody
from fastpath.errors import NOT_IMPLEMENTED, S3Error
from fastpath.http.head import RequestHead, parse_request_head
from fastpath.http.query import parse_query
from fastpath.request.across import AllBuckets, CopySource
from fastpath.request.admission import Unadmitted, admit, admit_form
from fastpath.request.admitted import Admitted
from fastpath.request.chains import Looking, Placed, Why, looked
from fastpath.request.decision import Undecided, by_reads, decided, placed_by
from fastpath.request.implied_operations import implied
from fastpath.request.trail import Trail
from fastpath.request.virtual_host import host_and_path
from fastpath.response.cors import answer_preflight
from fastpath.routing.asked import Asked
from fastpath.routing.chain import DEFAULT_RULE, Chain, Decision
from fastpath.routing.globs import compile_glob
from fastpath.routing.identities import Caller
from fastpath.routing.key_globs import Coverage
from fastpath.routing.plan import Plan
from fastpath.routing.rules import CREATING
from fastpath.routing.snapshot import Snapshot, Target, load_snapshot
from fastpath.routing.table import RoutingTable, Step
from fastpath.routing.table import explain as steps_of
from fastpath.s3.addressing import Address, checked_key
from fastpath.s3.operations import Operation
from fastpath.signing.sigv4.sign import Credentials, Signer
from gateway.config.compile import compile_snapshot
from gateway.config.schema import Config
from gateway.explain.chain_places import (
    Admission,
    ChainPlace,
    Treatment,
    moves_on,
    remarks_about,
    roles,
    what_becomes,
)
from gateway.explain.custom_answers import CustomAnswers
from gateway.explain.request import Request
from gateway.router.definition import Definition

MERGED = ("ListObjects", "ListObjectsV2")  # of objects in several places
EVERYBODY = Caller("", b"EXPLAIN", b"explain")  # may do everything, and no rule names it
_REGION = b"us-east-1"  # of a client's signature: any is taken
_UNSIGNED = b"UNSIGNED-PAYLOAD"
_OWN = frozenset(("authorization", "x-amz-content-sha256", "x-amz-date"))  # of the signature here


@dataclass(slots=True)
class Routed:
    """What the rules say about one key, or about a request that names none.

    `steps` end with the one that won; several have if it may be at the targets of each. A custom
    router's answer is a step without a rule before it.

    key: the key, or the prefix of a list.
    placed: None if the request is refused because its keys are in several places.
    names: bucket and key as the target has them to which it goes, or goes first.
    chain: what becomes of it at each place; empty if there is one.
    """

    key: str
    steps: list[Step]
    placed: Placed | None
    names: tuple[str, str] | None
    chain: list[ChainPlace] = field(default_factory=list)

    @property
    def decision(self) -> Decision | None:
        """Where the request goes, or goes first."""
        return None if self.placed is None else self.placed.decision

    @property
    def moves_on(self) -> list[str]:
        """What moves a read on to the next place; nothing if there is none."""
        return moves_on(self.placed.chain) if self.placed is not None and self.chain else []


@dataclass(frozen=True, slots=True)
class Served:
    """A target that gets a request, and the URL of the endpoint that it has for the bucket."""

    target: Target
    endpoint: str


@dataclass(slots=True)
class Outcome:
    """What was decided. No operation: the request was not understood; no error: it goes up.

    routed: one; of a DeleteObjects one for each key.
    served: where it goes; several if a DeleteObjects is split, of a ListBuckets, or where a read,
        a deletion or a list goes along a chain.
    """

    operation: Operation | None = None
    routed: list[Routed] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    error: S3Error | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def only(self) -> Served | None:
        """The one target; None: there is none, or there are several."""
        return self.served[0] if len(self.served) == 1 else None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a head does not say: the keys in the body, and the time of the request.

    keys: of a DeleteObjects, or the one of a form.
    at: epoch seconds; None: now.
    router: the custom one; None: there is none.
    """

    keys: Sequence[str] = ()
    at: float | None = None
    router: Definition | None = None


def snapshot_of(model: Config) -> Snapshot:
    """Compiles a configuration as a worker does; unresolved credentials are placeholders."""
    stand_in = {"access_key_id": "X", "secret_access_key": "X", "token": None}
    known: Mapping[str, Mapping[str, object]] = {
        name: stand_in for name, target in model.targets.items() if target.source is not None
    }
    return load_snapshot(0, {"instance": "explain", **compile_snapshot(model, known)})


def try_out(
    request: Request,
    caller: Caller,
    model: Config,
    circumstances: Circumstances = Circumstances(),
) -> Outcome:
    """Admits the request of `caller`."""
    trial = _Trial(snapshot_of(model), caller, model, circumstances)
    return trial.outcome(request)


class _Trial:
    """One request to a worker that has this snapshot."""

    def __init__(
        self, snapshot: Snapshot, caller: Caller, model: Config, circumstances: Circumstances
    ) -> None:
        self._snapshot = snapshot
        self._caller = caller
        self._model = model
        self._keys = circumstances.keys
        self._now = time.time() if circumstances.at is None else circumstances.at
        self._router = CustomAnswers(circumstances.router, snapshot.targets)
        self._listed: Sequence[str] = ()  # whose buckets a ListBuckets shows

    def outcome(self, request: Request) -> Outcome:
        outcome, trail = Outcome(remarks=list(request.remarks)), Trail()
        head: RequestHead | None = None
        try:
            head = self._signed(request)
            found = self._decide(head, self._with_caller(self._caller), trail, outcome.remarks)
            if found.admitted is not None and isinstance(found.admitted.across, AllBuckets):
                self._listed = found.admitted.across.targets
        except S3Error as error:
            outcome.error = error
        if head is not None:
            self._tell(outcome, trail, head)
        return outcome

    def _with_caller(self, caller: Caller) -> Snapshot:
        callers = {**self._snapshot.callers, caller.access_key_id: caller}
        return replace(self._snapshot, callers=callers)

    def _decide(
        self, head: RequestHead, snapshot: Snapshot, trail: Trail, remarks: list[str]
    ) -> Admission:
        """Decides as a worker does. Raises S3Error."""
        admitted = admit(head, snapshot, self._now, trail)
        if isinstance(admitted, Unadmitted):
            address = admitted.address
            if not admitted.is_form:
                answer_preflight(snapshot.cors, head.fields, address)
                remarks.append("the gateway answers preflights itself, by auth.cors")
                return Admission()
            remarks.append("a browser's form: signed and named in its body, sent as PUT")
            key = checked_key("".join(self._keys[:1]).encode())
            form = Address(address.bucket, key, True, head.path)
            caller = snapshot.callers[self._caller.access_key_id]
            admitted = admit_form(head, form, caller, snapshot, self._now, trail)
        if isinstance(admitted, Undecided):
            found = asyncio.run(find_target(admitted, snapshot, self._router, self._body()))
            admitted = decided(admitted, found.placed, found.source, snapshot, trail, found.split)
        why = None
        if isinstance(admitted, Looking):
            why, admitted = admitted.why, self._looked(admitted, head, snapshot, trail)
        if isinstance(admitted.across, CopySource):
            remarks.append(_source(admitted.across))
        return Admission(admitted, why)

    def _looked(
        self, looking: Looking, head: RequestHead, snapshot: Snapshot, trail: Trail
    ) -> Admitted:
        """Decides as if nothing were found; a change, as if the object were where it can be made.

        Raises S3Error.
        """
        placed, refusal = looking.placed, None
        if looking.why is Why.TO_MEASURE:
            trail.asked = _measured(looking.asked, head)
            placed = placed_by(snapshot.routing.plan(trail.asked.bucket), trail.asked)
        places: Sequence[Decision] = (placed.decision,)
        if looking.why is Why.TO_CHANGE:
            places = placed.chain.places
        for place in places:
            try:
                return looked(looking, Placed(placed.chain, place), (), snapshot, trail)
            except S3Error as error:
                if error.kind is not NOT_IMPLEMENTED:
                    raise
                refusal = refusal or error
        assert refusal is not None  # a chain has a place
        raise refusal

    def _body(self) -> RequestBody:
        """Returns the body of a DeleteObjects."""
        keys = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in self._keys)
        document = f"<Delete>{keys}</Delete>".encode("utf-8", "surrogateescape")
        body = RequestBody(lambda: body.feed(document, last=True), ended=False)
        return body

    def _signed(self, request: Request) -> RequestHead:
        """Returns the head as it would arrive. Raises S3Error if a worker would refuse it."""
        host, limits = "localhost", self._snapshot.limits
        bare = parse_request_head(request.raw(host), limits)
        if self._snapshot.open_caller is not None or request.method == "OPTIONS":
            return bare
        payload = bare.fields.get(b"x-amz-content-sha256", _UNSIGNED)
        request.headers = [pair for pair in request.headers if pair[0] not in _OWN]
        signed = [
            pair
            for pair in bare.headers
            if pair[0].startswith(b"x-amz-") and pair[0].decode("latin-1") not in _OWN
        ]
        credentials = Credentials(self._caller.access_key_id, self._caller.secret)
        lines = Signer(credentials, _REGION).sign(
            bare.method, bare.path, bare.query, host.encode(), signed, payload, self._now
        )
        if bare.method == b"POST" and not bare.query and b"/" not in bare.path[1:]:
            lines = []  # a form, which is signed in its body
        return parse_request_head(request.raw(host, lines), limits)

    # What became of it

    def _tell(self, outcome: Outcome, trail: Trail, head: RequestHead) -> None:
        """Adds what is known so far, and why it ended there."""
        address, operation = trail.address, trail.operation
        if address is None or operation is None:
            return
        outcome.operation = operation
        asked, admission = self._asked(head)
        if asked is None:
            return
        if operation.name == "DeleteObjects":
            each = [asked._replace(key=key.encode(), prefix=None) for key in self._keys]
        else:
            each = [asked]
        outcome.routed = [self._routed(one, operation) for one in each]
        if operation.routed_as is not operation:
            text = f"{operation.name} goes where its upload went: routed as {asked.operation}"
            outcome.remarks.append(text)
        self._tell_places(outcome, admission, trail.decision, address)
        if outcome.error is not None:
            targets = [one.target for one in outcome.served]
            outcome.remarks += self._reasons(operation, address.bucket, head, targets)
            return
        if operation.name == "DeleteObjects":
            outcome.remarks += self._refused_keys()
        if asked.operation in CREATING:
            outcome.remarks += _about_hours(asked, outcome.routed, self._snapshot.routing)

    def _tell_places(
        self, outcome: Outcome, admission: Admission, decision: Decision | None, address: Address
    ) -> None:
        """Adds the places that the request concerns, and the targets that it may come to."""
        treatment, refused = admission.treatment, outcome.error is not None
        for one in outcome.routed:
            if one.placed is not None and one.chain and not refused:
                every = what_becomes(treatment, one.placed)
                pairs = zip(one.chain, every, strict=True)
                one.chain = [replace(place, what=what) for place, what in pairs]
        places = _places(outcome.routed, treatment)
        if self._listed:
            places = [Decision(name, DEFAULT_RULE) for name in self._listed]
        elif len(places) < 2 and decision is not None:
            places = [decision]
        served = (self._served(address, one) for one in places)
        outcome.served = list({(one.target.name, one.endpoint): one for one in served}.values())
        if refused or self._listed:
            return
        is_along = any(one.chain for one in outcome.routed)
        outcome.remarks += remarks_about(treatment, admission.why, is_along=is_along)
        if len(places) > 1:
            outcome.remarks += self._across(outcome, treatment, places)

    def _served(self, address: Address, decision: Decision) -> Served:
        target = self._snapshot.targets[decision.target]
        bucket = decision.rewrite.bucket_up(address.bucket) if decision.rewrite else address.bucket
        host, _ = host_and_path(target, Address(bucket, b"", True, b"/" + bucket))
        return Served(target, f"{'https' if target.route.tls else 'http'}://{host.decode()}")

    def _across(
        self, outcome: Outcome, treatment: Treatment, places: Sequence[Decision]
    ) -> list[str]:
        """Says how a request goes to several places, and at which of them it fails."""
        remarks = []
        what = "for what is looked for there"
        operation = outcome.operation
        if operation is not None and operation.name == "DeleteObjects":
            what = "for its keys"
            order = (
                ", the last of a chain first" if any(one.chain for one in outcome.routed) else ""
            )
            remarks = [
                f"the keys are in {len(places)} places: each gets a DeleteObjects of its own "
                f"keys{order}, and the client one answer"
            ]
        elif treatment in (Treatment.DELETE, Treatment.LIST):
            what = "whatever the others say"
        names = dict.fromkeys(place.target for place in places)
        for name in names:
            profile = self._snapshot.targets[name].profile
            if not self._caller.reaches(name):
                who = f"identity {self._caller.name}"
                remarks.append(f"{who} does not reach target {name}: AccessDenied {what}")
            if treatment is Treatment.LIST and "sorted" not in profile.lists:
                remarks.append(
                    f"target {name} is not known to sort its lists, so that they cannot be merged: "
                    "the client gets 501 NotImplemented"
                )
            elif operation is not None and profile.refuses(operation.name):
                remarks.append(f"a target of profile {profile.name} has no {operation.name}")
        return remarks

    def _refused_keys(self) -> list[str]:
        """Says which keys of a batch fail alone, whatever their target would say."""
        remarks = []
        for key in self._keys:
            try:
                checked_key(key.encode())
            except S3Error as error:
                remarks.append(f"key {key} fails alone: {error.kind.code}: {error.message}")
        return remarks

    def _asked(self, head: RequestHead) -> tuple[Asked | None, Admission]:
        """Returns what the rules are asked about the request, and how it is treated.

        It is admitted once more, by a caller who may do everything, so that the rules are asked.
        """
        own, trail, admission = self._caller, Trail(), Admission()
        snapshot = self._with_caller(Caller(own.name, own.access_key_id, own.secret))
        snapshot = replace(snapshot, routing=_UnfixedTable(self._snapshot.routing))
        with contextlib.suppress(S3Error):  # the outcome has the error that the caller gets
            admission = self._decide(head, snapshot, trail, [])
        return trail.asked, admission

    def _routed(self, asked: Asked, operation: Operation) -> Routed:
        if operation.name == "ListBuckets" and self._snapshot.bucket_lists is not None:
            text = "one list of the buckets of these targets, each where a read of it would go"
            default = self._snapshot.routing.default
            return Routed("", [Step(None, text, True)], Placed(Chain((default,)), default), None)
        steps, placed = self._by_router(asked, operation)
        if placed is None and not any(step.won for step in steps):
            more, placed = self._by_rules(asked, operation)
            steps += more
        shown = _text(asked.prefix or asked.key)
        names = None if placed is None else _names(asked, placed.decision)
        chain: list[ChainPlace] = []
        if placed is not None and placed.is_along:
            is_mixed = operation.name in MERGED and self._snapshot.custom is None
            chain = [
                ChainPlace(place, "" if is_mixed else role, _names(asked, place))
                for place, role in zip(placed.chain.places, roles(placed.chain), strict=True)
            ]
        return Routed(shown, steps, placed, names, chain)

    def _by_rules(self, asked: Asked, operation: Operation) -> tuple[list[Step], Placed | None]:
        """Returns the rules tried, and where they lead; None: the keys are in several places."""
        table, plan = self._snapshot.routing, self._snapshot.routing.plan(asked.bucket)
        if operation.name in MERGED:
            places = tuple(place for place, _ in plan.places(asked))
            if len(places) > 1 and self._snapshot.custom is None:
                steps = steps_of(table, self._model.rules, asked, is_merged=True)
                return steps, Placed(Chain(places, len(places)), places[0])
        steps = steps_of(table, self._model.rules, asked)
        try:
            return steps, placed_by_rules(asked, self._snapshot)
        except S3Error:
            return steps, None

    def _by_router(self, asked: Asked, operation: Operation) -> tuple[list[Step], Placed | None]:
        """Returns what the custom router decides; no step has won: the rules decide."""
        custom = self._snapshot.custom
        if custom is None or not asked.bucket:
            return [], None
        reads = by_reads(custom, operation)
        if reads is not None:
            text = f"routing.custom_reads: {_targets(reads)}"
            return [Step(None, text, True)], Placed(reads, reads.primary)
        batch = operation.name == "DeleteObjects"
        one = asked._replace(size=None, content_type=b"") if batch else asked
        heard = self._router.heard.get(question_of(one, operation.name))
        if heard is None:
            return [], None  # refused before it was asked
        said = f"{json.dumps(heard.said.value)} in {heard.said.milliseconds:.1f} ms"
        if heard.failure:
            then = "the request is refused" if custom.refuses else "the rules decide"
            failed = f"custom router failed: {heard.failure}; {then}"
            return [Step(None, failed, custom.refuses)], None
        if heard.answer is None:
            return [Step(None, f"custom router: said {said}: the rules decide", False)], None
        placed = placed_by_answer(heard.answer, asked, self._snapshot)
        alone = Chain((placed.decision,))
        where = _targets(alone if custom.reads else placed.chain)
        return [Step(None, f"custom router: said {said}: {where}", True)], placed

    def _reasons(
        self, operation: Operation, bucket: bytes, head: RequestHead, targets: Sequence[Target]
    ) -> list[str]:
        """Says what about the identity or the targets prevents the request."""
        if not targets:
            return []
        caller = self._caller
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
        for target in targets:
            if not caller.reaches(target.name):
                reasons.append(f"{who} does not reach target {target.name}")
            if target.profile.refuses(operation.name):
                reasons.append(f"a target of profile {target.profile.name} has no {operation.name}")
            if self._snapshot.signer(target, caller) is None:
                reasons.append(f"target {target.name} has no credentials for this request")
        return reasons


def _measured(asked: Asked, head: RequestHead) -> Asked:
    """Returns what is asked about a copy whose source has the size that was given."""
    return asked if b"content-length" in head.fields else asked._replace(size=None)


def _names(asked: Asked, decision: Decision) -> tuple[str, str]:
    """Returns the names of bucket and key at a target."""
    bucket, rewrite = asked.bucket, decision.rewrite
    key = asked.key if asked.prefix is None else asked.prefix
    if rewrite is not None:
        bucket = rewrite.bucket_up(bucket)
        if key or asked.prefix is not None:  # a request about the bucket names no key
            of_all = rewrite.strip_prefix.startswith(key)  # which the list asks for, and others
            key = rewrite.key_prefix if of_all else rewrite.key_up(key)
    return _text(bucket), _text(key)


def _places(routed: Sequence[Routed], treatment: Treatment) -> list[Decision]:
    """Returns the places where these go, in their order; none if one of them goes nowhere."""
    found: list[Decision] = []
    for one in routed:
        if one.placed is None:
            return []
        places: Sequence[Decision] = (one.placed.decision,)
        if one.chain and treatment is Treatment.REFUSED:
            places = ()
        elif treatment.is_everywhere:
            places = one.placed.chain.places
        for place in places:
            if not any(place.is_same_place(other) for other in found):
                found.append(place)
    return found


def _targets(chain: Chain) -> str:
    return f"target {', then '.join(place.target for place in chain.places)}"


def _about_hours(asked: Asked, routed: Sequence[Routed], table: RoutingTable) -> Iterator[str]:
    """Says by which clock hours count that have no time zone, if the write's rules have some."""
    rules = [step.rule for one in routed for step in one.steps if step.rule is not None]
    for rule in rules:
        conditions = table.kind(rule.number).conditions
        if conditions is None or conditions.hours is None or conditions.zone is not None:
            continue
        if compile_glob(rule.pattern).match(asked.bucket):
            yield (
                f"rule {rule.number} has no timezone: its hours are those of the machine where a "
                "worker runs; here, of this one"
            )


def _source(copy: CopySource) -> str:
    """Says where the source of a copy is, and who makes the copy."""
    name = f"{_text(copy.name.bucket)}/{_text(copy.name.key)}"
    every = []
    for place, role in zip(copy.chain.places, roles(copy.chain), strict=True):
        rule = f"rule {place.rule}" if isinstance(place.rule, int) and place.rule else place.rule
        chosen = role if role == "fallback" else rule or "the default target"
        every.append(f"target {place.target} ({chosen})")
    who = "the gateway reads there and writes here" if copy.is_elsewhere else "the target copies"
    if len(every) == 1:
        return f"the source {name} is on {every[0]}: {who}"
    after = " or ".join(moves_on(copy.chain))
    where = ", then ".join(every)
    return f"the source {name} is looked for on {where}, each after {after} of that before: {who}"


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


class _UnfixedTable(RoutingTable):
    """A routing table of which no plan is fixed, so that the trail has what rules are asked."""

    def __init__(self, table: RoutingTable) -> None:
        self.default = table.default
        self._table = table

    def plan(self, bucket: bytes) -> Plan:
        return _UnfixedPlan(self._table.plan(bucket))


class _UnfixedPlan(Plan):
    """A plan that is never fixed."""

    __slots__ = ("_plan",)

    def __init__(self, plan: Plan) -> None:
        self.fixed = None
        self._plan = plan

    def decide(self, asked: Asked) -> Decision:
        return self._plan.decide(asked)

    def chain(self, asked: Asked) -> Chain:
        return self._plan.chain(asked)

    def places(self, asked: Asked) -> list[tuple[Decision, Coverage]]:
        return self._plan.places(asked)
