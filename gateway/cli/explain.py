"""`s3gateway explain` prints which rules are tried for a request, and its target or its error.

Rules: the answer comes from the workers' own code on the workers' own snapshot; credentials are not
resolved; a request that is refused is explained as well, and is no failure of the command.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_options, load_or_fail

if TYPE_CHECKING:
    from fastpath.routing.identities import Caller
    from fastpath.routing.table import Step
    from gateway.config.schema import Config
    from gateway.explain.request import Place
    from gateway.explain.trial import Outcome


@click.command(short_help="Print what becomes of a request, and why.")
@config_options
@click.option(
    "--operation", default="GetObject", show_default=True, help="S3 operation or HTTP method."
)
@click.option("--identity", metavar="NAME", help="Who signs the request.")
@click.option("--query", metavar="TEXT", default="", help="Its query, as versionId=1&tagging.")
@click.option("--header", "headers", metavar="LINE", multiple=True, help="A header: NAME: VALUE.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the answer.",
)
@click.argument("bucket")
@click.argument("key", default="")
def explain(  # noqa: PLR0913 (click passes each option by its name)
    bucket: str,
    key: str,
    operation: str,
    identity: str | None,
    query: str,
    headers: tuple[str, ...],
    form: str,
    **values: Any,
) -> None:
    """Print the rules that are tried for a request, in order, and the target that serves it; or
    the error that its client gets.

    BUCKET may be an address with its key: s3://bucket/key. Without an identity, one that may do
    everything is assumed.
    """
    from gateway.explain.request import Unclear, place_of, request_of
    from gateway.explain.trial import try_out

    try:
        place = place_of(bucket, key)
        request = request_of(place, operation, query, headers)
    except Unclear as unclear:
        raise click.UsageError(str(unclear)) from None
    loaded = load_or_fail(values)
    assert loaded.model is not None  # load_or_fail ends otherwise
    outcome = try_out(request, place.key, _caller(loaded.model, identity), loaded.model)
    if "/" in place.bucket:
        outcome.remarks.append("bucket and key are two words, or one address: s3://bucket/key")
    if form == "json":
        click.echo(json.dumps(_report(outcome, place, identity), indent=2))
        return
    for step in outcome.steps:
        click.echo(_as_text(step))
    if outcome.target is not None:
        name, profile = outcome.target.name, outcome.target.profile.name
        click.echo(f"target {name}: {outcome.endpoint} (profile {profile})")
    for remark in outcome.remarks:
        click.echo(f"note: {remark}")
    if outcome.error is not None:
        click.echo(f"refused: {outcome.error}")


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


def _report(outcome: Outcome, place: Place, identity: str | None) -> dict[str, object]:
    operation, target, error = outcome.operation, outcome.target, outcome.error
    refused = None
    if error is not None:
        kind = error.kind
        refused = {"status": kind.status, "code": kind.code, "message": error.message}
    return {
        "bucket": place.bucket,
        "key": place.key,
        "operation": operation.name if operation else None,
        "routed_as": operation.routed_as.name if operation else None,
        "identity": identity,
        "rules": [_as_dict(step) for step in outcome.steps],
        "target": target.name if target else None,
        "endpoint": outcome.endpoint or None,
        "remarks": outcome.remarks,
        "refused": refused,
    }


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
