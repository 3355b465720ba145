"""What a run must keep, and which process was the limit of it.

Rules: everything that was broken is told, each with the number that was measured and the one that
was to be kept; a way that measured nothing has broken its thresholds.
"""

from __future__ import annotations

from loadtest.load.measured import Compared, Way
from loadtest.load.scenarios import Scenario

ACCURACY = 1.0  # of decisions: one wrong one is data in another store
# From here on a process waits for its core more than for anything else.
BUSY = 0.85


def broken(scenario: Scenario, found: Compared) -> list[str]:
    """What this scenario did not keep, in sentences."""
    limits, first, second = scenario.limits, found.first, found.second
    silent = [one for one in (first, second) if one.requests == one.failed]
    told = [f"{one.name}: no request was answered" for one in silent]
    if found.errors > limits.errors:
        told.append(
            f"{second.name}: {second.failed} of {second.requests} requests failed; at most "
            f"{limits.errors:.1%} may: {'; '.join(second.failures)}"
        )
    if first.failed:  # then there is nothing to compare with
        told.append(f"{first.name}: {first.failed} requests failed: {'; '.join(first.failures)}")
    if found.throughput < limits.throughput:
        told.append(
            f"throughput is {found.throughput:.2f} of {first.name}; "
            f"{limits.throughput:g} is to be kept"
        )
    most = max(limits.p99 * first.p99_ms, first.p99_ms + limits.slack_ms)
    if second.p99_ms > most:
        told.append(
            f"p99 is {second.p99_ms:.0f} ms, {found.p99:.1f} times that of {first.name}; "
            f"{limits.p99:g} times, or {limits.slack_ms:g} ms more, may be"
        )
    return told + _of_routing(scenario, found)


def _of_routing(scenario: Scenario, found: Compared) -> list[str]:
    told = []
    if not found.asked:
        told.append("no decision was asked for")
    elif 1 - len(found.wrong) / found.asked < ACCURACY:
        told.append(f"{len(found.wrong)} of {found.asked} decisions are wrong: {found.wrong[0]}")
    if scenario.reloads and not found.reloads:
        told.append("no reload was applied")
    return told


def limit(one: Way, workers: int, cores: int) -> str:
    """Which process had no core left: what the throughput of this way depends on."""
    if one.cpu.get("locust", 0.0) >= BUSY:  # one process: one core, whatever the machine has
        return "locust"
    if one.cpu.get("gateway", 0.0) >= BUSY * workers:
        return "gateway"
    if sum(one.cpu.values()) >= BUSY * cores:
        return "machine"
    return "none"
