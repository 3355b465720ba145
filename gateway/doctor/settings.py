"""Looks at the configuration, and at the environment variables that it takes values from.

Rules: a variable matters only if a target that requests can reach takes a value from it, or would
without the file; values are not printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.config import Loaded
from gateway.config.digest import digest
from gateway.config.effective import origin
from gateway.config.layers import VARIABLES
from gateway.config.problems import format_path
from gateway.doctor.findings import Finding, Level, of_problem
from gateway.status.address import DIGEST_SHOWN

_REGION = ("targets", "s3", "region")


def configuration(loaded: Loaded) -> Iterator[Finding]:
    """Yields the problems of the configuration, or that there are none."""
    for problem in (*loaded.problems, *loaded.notes):
        yield of_problem(problem, "configuration", "")
    if loaded.model is not None:
        shown = digest(loaded.model)[:DIGEST_SHOWN]
        name = loaded.source
        yield Finding(Level.OK, "configuration", "", f"{name} can be served (digest {shown})")


def variables(loaded: Loaded, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yields what the variables of targets do, and which one would be needed."""
    model = loaded.model
    if model is None:
        return
    for name, path in VARIABLES:
        value = environ.get(name, "")
        if not value or path[1] not in model.targets:
            continue
        source, setting = origin(path, loaded.tree), format_path(path)
        if source == f"${name}":
            yield Finding(Level.OK, "environment", name, f"gives {setting}")
        elif str(loaded.tree.get(path)) != value:
            message = f"is set, but {source} gives another {setting}, which counts"
            yield Finding(Level.WARNING, "environment", name, message, "remove one of the two")
    target = model.targets.get("s3")
    if target is None or target.profile != "s3" or origin(_REGION, loaded.tree) != "default":
        return
    message = f"is not set, and neither is {format_path(_REGION)}: {target.region} is assumed"
    remedy = "set one of them to the region of your buckets: each other one costs a redirect"
    yield Finding(Level.WARNING, "environment", "AWS_REGION", message, remedy)
