"""`s3gateway explain` prints which rules are tried for a request, and its target or its error.

Rules: the answer comes from the workers' own code on the workers' own snapshot; credentials are not
resolved; a request that is refused is explained as well, and is no failure of the command.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import click

from gateway.cli.options import config_options, load_or_fail


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
    from gateway.explain.description import Words, caller_of, described
    from gateway.explain.request import Unclear, place_of
    from gateway.explain.shown_request import lines, report
    from gateway.explain.trial import try_out

    as_json = values.pop("as_json") or values["form"] == "json"
    del values["form"]
    words = Words(**{field.name: values.pop(field.name) for field in fields(Words)})
    if not bucket and words.operation != "ListBuckets":
        raise click.UsageError("Missing argument 'BUCKET'.")
    try:
        place, request, circumstances = described(place_of(bucket, key), words)
    except Unclear as unclear:
        raise click.UsageError(str(unclear)) from None
    loaded = load_or_fail(values)
    assert loaded.model is not None  # load_or_fail ends otherwise
    circumstances = replace(circumstances, router=loaded.router)
    try:
        caller = caller_of(loaded.model, identity)
    except Unclear as unclear:
        raise click.BadParameter(str(unclear), param_hint="--identity") from None
    outcome = try_out(request, caller, loaded.model, circumstances)
    if "/" in place.bucket:
        outcome.remarks.append("bucket and key are two words, or one address: s3://bucket/key")
    if as_json:
        click.echo(json.dumps(report(outcome, place, identity), indent=2))
    else:
        for line in lines(outcome, place):
            click.echo(line)
