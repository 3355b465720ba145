"""`s3gateway repair` aborts the uploads that copies left at targets, as a log of the gateway says.

Rules: each upload is one line on stdout, with what became of it, and so is each repair line that
cannot be used; the sum goes to stderr; the configuration is read only if there is something to
abort; exit status 1 if anything may be left.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_options, fail, load_or_fail

if TYPE_CHECKING:
    from gateway.repair.found_lines import Found, FoundLines
    from gateway.repair.run import Outcome, Repair, Result


@click.command(short_help="Abort the uploads that a log says are left.")
@config_options
@click.option("--show", is_flag=True, help="Only print what is left; abort nothing.")
@click.option("--now", is_flag=True, help="Abort also uploads whose copy may still run.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1, max=600.0),
    default=30.0,
    show_default=True,
    help="How long a target may take for each upload.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def repair(file: str, show: bool, now: bool, timeout: float, **values: Any) -> None:
    """Abort the multipart uploads that the repair lines in FILE say are left at targets.

    FILE is a log of the gateway in either form, with whatever else is in it; - is standard input.
    An upload that a line says is done is only counted. It may be run again at any time: an upload
    that is gone is not an error. With --show, uploads that are left are no failure, and no
    configuration is read.
    """
    from gateway.repair.found_lines import find_lines

    as_json = values.pop("as_json")
    say: Callable[[str], None] = (lambda text: None) if as_json else click.echo
    name = "<stdin>" if file == "-" else file
    with click.open_file(file, "rb") as log:
        found = find_lines(log)
    for number, fault in found.unusable:
        say(f"{name}:{number}: unusable repair line: {fault}")
    outcomes: Counter[Outcome] = Counter()
    uploads = []
    run = None if show or not found.left else _repair(values, timeout, now=now)
    for one in found.left:
        shown = f"{name}:{one.number}: {_shown(one)}"
        result = None if run is None else run.abort(one.line)
        if result is not None:
            outcomes[result.outcome] += 1
        uploads.append(_as_dict(one, result))
        say(shown if result is None else f"{shown}: {result.text}")
    if as_json:
        unusable = [{"line": number, "fault": fault} for number, fault in found.unusable]
        click.echo(json.dumps({"uploads": uploads, "unusable": unusable, "done": found.done}))
    click.echo(f"{name}: {_summary(found, outcomes)}", err=True)
    if found.unusable or any(not outcome.is_over for outcome in outcomes):
        fail()


def _repair(values: dict[str, Any], seconds: float, *, now: bool) -> Repair:
    """Resolves the configuration and its credentials as a worker would have them."""
    loaded = load_or_fail(values)
    from fastpath.routing.snapshot import load_snapshot
    from gateway.config.compile import compile_snapshot
    from gateway.control.credentials import Keyring
    from gateway.repair.run import Repair

    model = loaded.model
    assert model is not None  # load_or_fail ends otherwise
    keyring = Keyring(model)
    document = {"instance": "", **compile_snapshot(model, keyring.resolve())}
    for warning in keyring.warnings:
        click.echo(warning, err=True)
    configured = loaded.tree.get(("targets",))
    names = configured if isinstance(configured, dict) else {}
    return Repair(load_snapshot(0, document), names, seconds, now=now)


def _shown(found: Found) -> str:
    from fastpath.ipc.repair_lines import LEFT, as_word
    from gateway.repair.run import moment

    line, upload = found.line, found.line.upload
    place = f"{as_word(upload.bucket)}/{as_word(upload.key)}"
    state = "left" if line.state == LEFT else "begun"  # what happened at that time
    said = f"{state} {moment(line.time)} for request {upload.request_id}"
    return f"target {upload.target}: {place} upload {as_word(upload.upload_id)}, {said}"


def _as_dict(found: Found, result: Result | None) -> dict[str, Any]:
    """Returns an upload that is left, and what became of it, for --json."""
    from fastpath.ipc.repair_lines import as_word

    upload = found.line.upload
    return {
        "line": found.number,
        "target": upload.target,
        "bucket": as_word(upload.bucket),
        "key": as_word(upload.key),
        "upload_id": as_word(upload.upload_id),
        "request_id": upload.request_id,
        "time": found.line.time,
        "outcome": None if result is None else result.outcome.value,
        "said": None if result is None else result.text,
    }


def _summary(found: FoundLines, outcomes: Counter[Outcome]) -> str:
    became = [f"{count} {outcome.value}" for outcome, count in outcomes.items()]
    left = f"{len(found.left)} left" + (f" ({', '.join(became)})" if became else "")
    count = len(found.unusable)
    unusable = f", {count} unusable line{'' if count == 1 else 's'}" if count else ""
    return f"uploads: {left}, {found.done} done{unusable}"
