"""Writes the status of a gateway as lines for a person.

Rules: what an operator should act on is a line of its own, beginning with `warning:`; a text of the
gateway is printed without control characters.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.status.address import DIGEST_SHOWN


def lines(found: Mapping[str, Any], now: float) -> Iterator[str]:
    """Yields the lines; `now` is in epoch seconds."""
    for line in (*head(found), *_workers(found), *_targets(found, now), *warnings(found)):
        yield printable(line)


def printable(text: str) -> str:
    """Returns a text of the gateway without characters that a terminal obeys."""
    return "".join(char if char.isprintable() else "?" for char in text)


def head(found: Mapping[str, Any]) -> Iterator[str]:
    """Yields what concerns the gateway as a whole."""
    file, digest = found["configuration"] or "the environment", found["digest"]
    yield f"gateway {found['supervisor']} (version {found['version']}), configuration of {file}"
    shown = digest[:DIGEST_SHOWN] if digest else "not known yet"
    served = "served by all workers" if found["rolled_out"] else "on its way to the workers"
    yield f"generation {found['generation']}, digest {shown}, {served}"
    if found.get("draining"):
        yield "warning: it drains: no new client is taken"


def _workers(found: Mapping[str, Any]) -> Iterator[str]:
    for worker in found["workers"]:
        yield (
            f"worker {worker['worker']}: pid {worker['pid']}, generation {worker['generation']}, "
            f"{_count(worker['connections'], 'connection')}, "
            f"{_count(worker['requests'], 'request')} in flight"
        )


def _targets(found: Mapping[str, Any], now: float) -> Iterator[str]:
    for target in found["targets"]:
        state = "disabled" if target["disabled"] else "enabled"
        facts = [state, health(target["health"], now), *breakers(target, now)]
        where = f" ({target['endpoint']})" if target["endpoint"] else ""
        yield f"target {target['name']}{where}: {'; '.join(facts)}"


def breakers(target: Mapping[str, Any], now: float) -> list[str]:
    """Returns the breakers of a target that are not closed."""
    return [
        f"breaker of worker {breaker['worker']} {breaker['state']}{_since(breaker, now)}"
        for breaker in target["breakers"]
    ]


def health(report: Mapping[str, Any] | None, now: float) -> str:
    """Returns what the checks of a target say."""
    if report is None:
        return "not checked"
    fault = f": {report['fault']}" if report["fault"] else ""
    state = "health not known yet" if report["state"] == "unknown" else report["state"]
    return f"{state}{_since(report, now)}{fault}"


def warnings(found: Mapping[str, Any]) -> Iterator[str]:
    """Yields what an operator should act on."""
    for target in found["targets"]:
        name = target["name"]
        if target["disabled"] and not target["configured"]:
            yield (
                f"warning: target {name} is disabled, and in no use: a reload that brings it back "
                f"finds it disabled (s3gateway enable {name})"
            )
        elif target["disabled"]:
            yield (
                f"warning: target {name} is disabled by an operator: its requests are refused with "
                f"503 (s3gateway enable {name})"
            )
        elif not target["can_be_disabled"]:
            yield (
                f"warning: target {name} has no counters of its own: it cannot be disabled, and "
                "workers do not see its health, before the gateway is restarted"
            )


def _since(fact: Mapping[str, Any], now: float) -> str:
    if fact["since"] is None:
        return ""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(fact["since"]))
    return f" since {moment} ({_length(now - fact['since'])})"


def _length(seconds: float) -> str:
    """`42 s`, `5 min`, `3 h`."""
    seconds = max(0.0, seconds)
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
