"""`s3gateway explain` prints which rules are tried for a request, and its target or its error.

Rules: the answer comes from the workers' own code on the workers' own snapshot; credentials are not
resolved; a request that is refused is explained as well, and is no failure of the command.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_options, load_or_fail

if TYPE_CHECKING:
    from fastpath.routing.identities import Caller
    from fastpath.routing.table import Step
    from gateway.config.schema import Config
    from gateway.explain.chain_places import ChainPlace
    from gateway.explain.request import Place, Request
    from gateway.explain.trial import Circumstances, Outcome, Routed


@click.command(short_help="Print what becomes of a request, and why.")
@config_options
@click.option("--operation", metavar="NAME", help="S3 operation or HTTP method. [GetObject]")
@click.option("--method", metavar="METHOD", help="HTTP method, instead of an operation.")
@click.option("--identity", metavar="NAME", help="Who signs the request.")
@click.option("--key", "keys", metavar="KEY", multiple=True, help="A key; DeleteObjects has many.")
@click.option("--prefix", metavar="TEXT", help="Of the keys that a list asks for.")
@click.option("--size", metavar="BYTES", help="Length of its body: 1000000, or 1MB.")
@click.option("--content-type", metavar="TYPE", help="Its Content-Type.")
@click.option("--at", metavar="TIME", help="When it is sent: ISO 8601 or epoch seconds. [now]")
@click.option("--query", metavar="TEXT", default="", help="Its query, as versionId=1&tagging.")
@click.option("--header", "headers", metavar="LINE", multiple=True, help="A header: NAME: VALUE.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as --format json does.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the answer.",
)
@click.argument("bucket", default="")
@click.argument("key", default="")
def explain(bucket: str, key: str, identity: str | None, **values: Any) -> None:
    """Print the rules that are tried for a request, in order, and the target that serves it; or
    the error that its client gets.

    BUCKET may be an address with its key: s3://bucket/key; only ListBuckets has none. Without an
    identity, one that may do everything is assumed.
    """
    from gateway.explain.request import Unclear, place_of
    from gateway.explain.trial import try_out

    words = {name: values.pop(name) for name in _WORDS}
    if not bucket and words["operation"] != "ListBuckets":
        raise click.UsageError("Missing argument 'BUCKET'.")
    try:
        place = place_of(bucket, key)
        place, request, circumstances = _described(place, words)
    except Unclear as unclear:
        raise click.UsageError(str(unclear)) from None
    loaded = load_or_fail(values)
    assert loaded.model is not None  # load_or_fail ends otherwise
    circumstances = replace(circumstances, router=loaded.router)
    outcome = try_out(request, _caller(loaded.model, identity), loaded.model, circumstances)
    if "/" in place.bucket:
        outcome.remarks.append("bucket and key are two words, or one address: s3://bucket/key")
    if words["as_json"] or words["form"] == "json":
        click.echo(json.dumps(_report(outcome, place, identity), indent=2))
    else:
        for line in _lines(outcome, place):
            click.echo(line)


_WORDS = (
    "operation",
    "method",
    "keys",
    "prefix",
    "size",
    "content_type",
    "at",
    "query",
    "headers",
    "as_json",
    "form",
)


def _described(place: Place, words: dict[str, Any]) -> tuple[Place, Request, Circumstances]:
    """Returns the request that the options describe. Raises Unclear."""
    from gateway.explain.request import (
        EXAMPLE_KEY,
        Unclear,
        length_headers,
        list_query,
        moment_of,
        no_key,
        request_of,
    )
    from gateway.explain.trial import Circumstances

    word, method, prefix = words["operation"], words["method"], words["prefix"]
    if word and method:
        raise Unclear("give an operation or a method: an operation has its own")
    word = word or method or ("GetObject" if prefix is None else "ListObjectsV2")
    headers, query = list(words["headers"]), words["query"]
    if words["content_type"] is not None:
        headers.append(f"content-type: {words['content_type']}")
    if words["size"] is not None:
        headers += length_headers(words["size"], headers)
    keys = [*filter(None, [place.key]), *words["keys"]]
    if prefix is not None:
        if keys:
            raise Unclear("a list has a prefix, and no key besides")
        query = "&".join(filter(None, (query, list_query(prefix))))
    if len(keys) > 1 and word != "DeleteObjects":
        raise Unclear(f"{word} has one key: only DeleteObjects has several")
    place = replace(place, key=keys[0] if keys else "")
    request = request_of(place, word, query, headers)
    if word == "DeleteObjects" and not keys:
        request.remarks.append(no_key())
        keys = [EXAMPLE_KEY]
    at = None if words["at"] is None else moment_of(words["at"])
    return place, request, Circumstances(tuple(keys), at)


def _caller(model: Config, name: str | None) -> Caller:
    """Returns the identity of that name; without a name, one that may do everything."""
    from gateway.explain.trial import EVERYBODY, snapshot_of

    if name is None:
        return EVERYBODY
    callers = {caller.name: caller for caller in snapshot_of(model).callers.values()}
    if name not in callers:
        known = ", ".join(sorted(callers)) or "none"
        message = f"{name!r} is no identity. Known: {known}"
        raise click.BadParameter(message, param_hint="--identity")
    return callers[name]


# The answer

_OF_KEYS = ("chain", "moves_on", "rules", "upstream")  # what is there of the first key besides


def _lines(outcome: Outcome, place: Place) -> Iterator[str]:
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


def _report(outcome: Outcome, place: Place, identity: str | None) -> dict[str, object]:
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
