"""`s3gateway explain`: which rule decides a request, and why the ones before it did not.

Rules: the decision is made by the workers' own code on the workers' own snapshot; credentials are
not resolved.

Not here: the decision (`fastpath.routing`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_options, load_or_fail

if TYPE_CHECKING:
    from fastpath.operations import Operation
    from fastpath.routing import Step
    from fastpath.snapshot import Snapshot, Target
    from gateway.config.model import Config


@click.command(short_help="Print which rule decides a request, and why.")
@config_options
@click.option("--operation", default="GetObject", show_default=True, help="S3 operation name.")
@click.option("--identity", metavar="NAME", help="Who signs the request.")
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
def explain(
    bucket: str, key: str, operation: str, identity: str | None, form: str, **values: Any
) -> None:
    """Print the rules that are tried for a request, in order, and the one that wins."""
    from fastpath.routing import explain as steps_of

    wanted = _operation(operation)
    model, snapshot = _loaded(values)
    caller = _caller(snapshot, identity)
    steps = steps_of(
        snapshot.routing, model.rules, bucket.encode(), wanted.routed_as.name, identity or ""
    )
    target = snapshot.targets[_winner(snapshot, steps)]
    remarks = _remarks(wanted, caller, bucket, target)
    address = _endpoint(target, bucket)
    if form == "json":
        report = {
            "bucket": bucket,
            "key": key,
            "operation": wanted.name,
            "routed_as": wanted.routed_as.name,
            "identity": identity,
            "rules": [_as_dict(step) for step in steps],
            "target": target.name,
            "endpoint": address,
            "remarks": remarks,
        }
        click.echo(json.dumps(report, indent=2))
        return
    for step in steps:
        click.echo(_as_text(step))
    click.echo(f"target {target.name}: {address} (profile {target.profile.name})")
    for remark in remarks:
        click.echo(f"note: {remark}")


def _operation(name: str) -> Operation:
    from fastpath.operations import OPERATIONS
    from gateway.config.problems import did_you_mean

    found = OPERATIONS.get(name)
    if found is None:
        hint = did_you_mean(name, OPERATIONS) or "name an operation, for example GetObject"
        raise click.BadParameter(f"{name!r} is no S3 operation. {hint}", param_hint="--operation")
    return found


def _loaded(values: dict[str, Any]) -> tuple[Config, Snapshot]:
    """What was written, and what a worker makes of it."""
    loaded = load_or_fail(values)
    from fastpath.snapshot import load_snapshot
    from gateway.config.compile import compile_snapshot

    assert loaded.model is not None  # load_or_fail ends otherwise
    snapshot = load_snapshot(0, {"instance": "", **compile_snapshot(loaded.model, {})})
    return loaded.model, snapshot


def _caller(snapshot: Snapshot, name: str | None) -> Any:
    """The identity of that name; anybody if none is asked for."""
    from fastpath.identities import ANYBODY

    if name is None:
        return ANYBODY
    callers = {caller.name: caller for caller in snapshot.callers.values()}
    if name not in callers:
        known = ", ".join(sorted(callers)) or "none"
        message = f"{name!r} is no identity. Known: {known}"
        raise click.BadParameter(message, param_hint="--identity")
    return callers[name]


def _endpoint(target: Target, bucket: str) -> str:
    """Where the target is asked for the bucket: below the bucket's own host if it is."""
    from fastpath.addressing import Address
    from fastpath.hosting import host_and_path

    name = bucket.encode()
    host, _ = host_and_path(target, Address(name, b"", True, b"/" + name))
    return f"{'https' if target.route.tls else 'http'}://{host.decode()}"


def _winner(snapshot: Snapshot, steps: list[Step]) -> str:
    rule = next(step for step in steps if step.won).rule
    return snapshot.routing.default.target if rule is None else rule.target


def _remarks(operation: Operation, caller: Any, bucket: str, target: Any) -> list[str]:
    """What would happen to the request all the same."""
    remarks: list[str] = []
    if operation.routed_as is not operation:
        began = operation.routed_as.name
        remarks.append(f"{operation.name} goes where its upload went: routed as {began}")
    if not caller.may(operation.name, bucket.encode()):
        remarks.append(f"identity {caller.name} is not allowed {operation.name} on {bucket}")
    if not caller.reaches(target.name):
        remarks.append(f"identity {caller.name} does not reach target {target.name}")
    if target.profile.refuses(operation.name):
        remarks.append(f"a target of profile {target.profile.name} has no {operation.name}")
    return remarks


def _as_dict(step: Step) -> dict[str, object]:
    rule = step.rule
    return {
        "rule": rule.number if rule else None,
        "line": rule.line if rule else None,
        "pattern": rule.pattern if rule else None,
        "description": rule.description if rule else "",
        "verdict": step.verdict,
        "won": step.won,
    }


def _as_text(step: Step) -> str:
    mark = ">" if step.won else " "
    if step.rule is None:
        return f"{mark} {step.verdict}"
    description = " ".join(step.rule.description.split())
    note = f"  # {description}" if description else ""
    where = f"rule {step.rule.number} (line {step.rule.line})"
    return f"{mark} {where} {step.rule.pattern}: {step.verdict}{note}"
