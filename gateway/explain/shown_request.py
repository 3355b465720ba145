"""Shows what becomes of a request: as lines for people, and in plain JSON types."""

from __future__ import annotations

from collections.abc import Iterator

from fastpath.routing.table import Step
from gateway.explain.chain_places import ChainPlace
from gateway.explain.request import Place
from gateway.explain.trial import Outcome, Routed

_OF_KEYS = ("chain", "moves_on", "rules", "upstream")  # what is there of the first key besides


def lines(outcome: Outcome, place: Place) -> Iterator[str]:
    """Yields the lines that the command prints."""
    several = len(outcome.routed) > 1
    for routed in outcome.routed:
        if several:
            yield f"key {routed.key}:"
        for step in routed.steps:
            yield _as_text(step)
        client_names = (place.bucket, routed.key)
        for number, one in enumerate(routed.chain, 1):
            yield f"  place {number}: {_place_as_text(one, client_names)}"
        if routed.names is not None and routed.names != client_names and not routed.chain:
            yield f"  {'/'.join(client_names)} is {'/'.join(routed.names)} there"
    for served in outcome.served:
        name, profile = served.target.name, served.target.profile.name
        yield f"target {name}: {served.endpoint} (profile {profile})"
    for remark in outcome.remarks:
        yield f"note: {remark}"
    if outcome.error is not None:
        yield f"refused: {outcome.error}"


def _place_as_text(place: ChainPlace, client_names: tuple[str, str]) -> str:
    """Returns one line about a place of a chain; of names that are as the client's, nothing."""
    named = f" as {'/'.join(place.names)}" if place.names != client_names else ""
    role = f", {place.role}" if place.role else ""
    what = f": {place.what}" if place.what else ""
    return f"target {place.decision.target}{named}{role}{what}"


def report(outcome: Outcome, place: Place, identity: str | None) -> dict[str, object]:
    """Returns what `explain --json` prints."""
    operation, served, error = outcome.operation, outcome.only, outcome.error
    refused = None
    if error is not None:
        kind = error.kind
        refused = {"status": kind.status, "code": kind.code, "message": error.message}
    first = _as_report(outcome.routed[0]) if outcome.routed else dict.fromkeys(_OF_KEYS, None)
    return {
        "bucket": place.bucket,
        "key": place.key,
        "operation": operation.name if operation else None,
        "routed_as": operation.routed_as.name if operation else None,
        "identity": identity,
        "rules": first["rules"] or [],
        "target": served.target.name if served else None,
        "endpoint": served.endpoint if served else None,
        "targets": [one.target.name for one in outcome.served],
        "upstream": first["upstream"],
        "chain": first["chain"] or [],
        "moves_on": first["moves_on"] or [],
        "keys": [_as_report(routed) for routed in outcome.routed],
        "remarks": outcome.remarks,
        "refused": refused,
    }


def _as_report(routed: Routed) -> dict[str, object]:
    decision, names = routed.decision, routed.names
    return {
        "key": routed.key,
        "target": decision.target if decision else None,
        "rule": decision.rule or None if decision else None,
        "upstream": _as_names(names),
        "chain": [_as_place(place) for place in routed.chain],
        "moves_on": routed.moves_on,
        "rules": [_as_dict(step) for step in routed.steps],
    }


def _as_place(place: ChainPlace) -> dict[str, object]:
    return {
        "target": place.decision.target,
        "rule": place.decision.rule or None,
        "role": place.role or None,
        "upstream": _as_names(place.names),
        "what": place.what,
    }


def _as_names(names: tuple[str, str] | None) -> dict[str, str] | None:
    return {"bucket": names[0], "key": names[1]} if names else None


def _as_dict(step: Step) -> dict[str, object]:
    rule = step.rule
    return {
        "rule": rule.number if rule else None,
        "line": rule.line if rule else None,
        "pattern": rule.pattern if rule else None,
        "description": rule.description if rule else "",
        "verdict": step.result,
        "won": step.won,
    }


def _as_text(step: Step) -> str:
    mark = ">" if step.won else " "
    if step.rule is None:
        return f"{mark} {step.result}"
    description = " ".join(step.rule.description.split())
    note = f"  # {description}" if description else ""
    where = f"rule {step.rule.number} (line {step.rule.line})"
    return f"{mark} {where} {step.rule.pattern}: {step.result}{note}"
