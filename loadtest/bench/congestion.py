"""Chapter: what BBR costs everybody on loopback (docs/adr/0007-congestion.md).

Rules: the same workloads and contenders as in the comparison, at 32 connections, in this network
with BBR instead; where there is none, or this user may not choose it, nothing is measured.
"""

from __future__ import annotations

from dataclasses import replace

from loadtest.bench import network, report, rounds, workloads
from loadtest.bench.chapters import Chapter, Section

_WORKLOADS = ("GET 1 KiB", "GET 1 MiB", "PUT 1 MiB", "GET 64 MiB")
_CONTENDERS = ("s3gateway", "envoy", "nginx")


def measure() -> Section:
    """Play them, and put the network back as it was."""
    before = network.control()
    try:
        network.use("bbr")
    except OSError as fault:
        return {"control": before, "unavailable": str(fault.strerror)}
    try:
        chosen = [one for one in workloads.WORKLOADS if one.name in _WORKLOADS]
        at_32 = [replace(one, connections=(32,)) for one in chosen]
        return {"control": "bbr", **rounds.run(rounds.Plan(3, 2, at_32, _CONTENDERS, ()))}
    finally:
        network.use(before)


def table(section: Section) -> str:
    """Markdown."""
    if "unavailable" in section:
        return f"Not measured: no BBR here ({section['unavailable']})."
    rows = [
        "| under BBR | " + " | ".join(_CONTENDERS) + " | / envoy | / nginx |",
        "|---|" + "---|" * (len(_CONTENDERS) + 2),
    ]
    for name in _WORKLOADS:
        cells = [
            report.cell(report.cpu(section, name, contender, "http", 32))
            for contender in _CONTENDERS
        ]
        ratios = [report.ratio(section, name, peer) for peer in _CONTENDERS[1:]]
        cells += ["" if one is None else f"{one:.2f}" for one in ratios]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


CHAPTER = Chapter("congestion", measure, table, ("nginx", "wrk", "envoy"))
