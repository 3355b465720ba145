"""The result of a run: its file, the table of goals, the full table and the picture.

Rules: a ratio is CPU per request of the gateway by that of a peer of the same run; the goals are
data; what was not measured has no ratio, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]  # as `rounds.run` made it, or read from its file

PEERS = ("envoy", "nginx", "nginx-large", "haproxy", "haproxy-splice")
# Shown where they were measured; what is compared with them has no goal.
OPTIONAL = ("versitygw",)


@dataclass(frozen=True, slots=True)
class Goal:
    """CPU per request of the gateway, at most this part of a peer's."""

    workload: str
    peer: str
    limit: float
    stretch: float
    upstream: str = "http"


GOALS = (
    Goal("GET 1 KiB", "envoy", 0.60, 0.50),
    Goal("GET 1 KiB", "nginx", 2.0, 1.5),
    Goal("GET 64 KiB", "envoy", 0.50, 0.40),
    Goal("GET 64 KiB", "nginx", 0.80, 0.70),
    Goal("GET 1 MiB", "envoy", 0.45, 0.35),
    Goal("GET 1 MiB", "nginx", 0.35, 0.30),
    Goal("GET 64 MiB", "envoy", 0.35, 0.25),
    Goal("GET 64 MiB", "nginx", 0.25, 0.20),
    Goal("PUT 1 MiB", "envoy", 0.50, 0.40),
    Goal("PUT 1 MiB", "nginx", 0.45, 0.35),
    Goal("PUT 64 MiB", "envoy", 0.50, 0.40),
    Goal("PUT 64 MiB", "nginx", 0.40, 0.30),
    Goal("GET 1 MiB", "envoy", 1.0, 0.8, "https"),
)
# Bytes per CPU second of signed chunks, at least this part of SHA-256 alone.
CHUNKS_GOAL, CHUNKS_STRETCH = 0.35, 0.50
# MiB charged to a worker (`readers`), at most.
READERS_GOAL, READERS_STRETCH = 64.0, 48.0


def cpu(result: Result, workload: str, contender: str, upstream: str, connections: int) -> float:
    """CPU microseconds per request; raises KeyError for what was not measured."""
    for one in result["figures"]:
        if (one["workload"], one["contender"], one["upstream"], one["connections"]) == (
            workload,
            contender,
            upstream,
            connections,
        ):
            return float(one["cpu_us"])
    raise KeyError(workload)


def ratio(
    result: Result, workload: str, peer: str, upstream: str = "http", connections: int = 32
) -> float | None:
    """The gateway's CPU per request by the peer's; None if one of them is missing."""
    try:
        ours = cpu(result, workload, "s3gateway", upstream, connections)
        return ours / cpu(result, workload, peer, upstream, connections)
    except (KeyError, ZeroDivisionError):
        return None


def chunks_ratio(result: Result) -> float | None:
    """Bytes per CPU second of chunk-signed uploads by those of SHA-256 alone."""
    for one in result["figures"]:
        if one["workload"] == "PUT 8 MiB chunks" and one["contender"] == "s3gateway":
            return float(one["megabytes"]) / float(result["sha256_megabytes_per_second"])
    return None


def readers_worst(result: Result) -> float | None:
    """MiB of one worker, on the worst of the ways that the goal is about."""
    try:
        return max(float(way["bound"]) for way in result["readers"]["ways"] if way["in goal"])
    except (KeyError, ValueError):
        return None


def goals(result: Result) -> Iterator[tuple[str, float | None, float, bool | None]]:
    """Each goal: its name, what was measured, the limit, and whether it is met."""
    for goal in GOALS:
        found = ratio(result, goal.workload, goal.peer, goal.upstream)
        over = " over https" if goal.upstream == "https" else ""
        name = f"{goal.workload}{over} / {goal.peer}"
        yield name, found, goal.limit, None if found is None else found <= goal.limit
    found = chunks_ratio(result)
    met = None if found is None else found >= CHUNKS_GOAL
    yield "chunk-signed PUT 8 MiB, bytes / SHA-256 alone", found, CHUNKS_GOAL, met
    found = readers_worst(result)
    met = None if found is None else found <= READERS_GOAL
    yield "MiB of one worker, 64 slow bodies of 64 MiB", found, READERS_GOAL, met


def besides(result: Result) -> Iterator[tuple[str, float]]:
    """The ratios to optional peers, of every workload that was measured with both."""
    for (workload, upstream, connections), group in _groups(result):
        for peer in OPTIONAL:
            found = ratio(result, workload, peer, upstream, connections)
            if peer in group and connections == 32 and found is not None:
                over = " over https" if upstream == "https" else ""
                yield f"{workload}{over} / {peer}", found


def goals_table(result: Result) -> str:
    """Markdown."""
    rows = ["| CPU per request, 32 connections | measured | goal | |", "|---|---|---|---|"]
    for name, found, limit, met in goals(result):
        shown = "not measured" if found is None else f"{found:.2f}"
        sign = ">=" if "SHA-256" in name else "<="
        judged = "" if met is None else "met" if met else "missed"
        rows.append(f"| {name} | {shown} | {sign} {limit:.2f} | {judged} |")
    rows += [f"| {name} | {found:.2f} | | |" for name, found in besides(result)]
    return "\n".join(rows)


def full_table(result: Result) -> str:
    """Every figure, in Markdown: a row for each workload and number of connections."""
    measured = {one["contender"] for one in result["figures"]}
    names = ("s3gateway", *PEERS, *(name for name in OPTIONAL if name in measured))
    rows = [
        "| workload | store | conn. | " + " | ".join(names) + " | req/s | p50 / p99 ms |",
        "|---|---|---|" + "---|" * (len(names) + 2),
    ]
    for key, group in _groups(result):
        workload, upstream, connections = key
        cells = [cell(group[name]["cpu_us"]) if name in group else "" for name in names]
        ours = group.get("s3gateway")
        speed = f"{ours['requests']:,.0f}" if ours else ""
        delay = f"{ours['p50_us'] / 1000:.1f} / {ours['p99_us'] / 1000:.1f}" if ours else ""
        rows.append(
            f"| {workload} | {upstream} | {connections} | "
            + " | ".join(cells)
            + f" | {speed} | {delay} |"
        )
    return "\n".join(rows)


def _groups(result: Result) -> list[tuple[tuple[str, str, int], dict[str, Mapping[str, Any]]]]:
    found: dict[tuple[str, str, int], dict[str, Mapping[str, Any]]] = {}
    for one in result["figures"]:
        key = (one["workload"], one["upstream"], one["connections"])
        found.setdefault(key, {})[one["contender"]] = one
    return list(found.items())


def cell(microseconds: float) -> str:
    """A time as it is shown."""
    if microseconds >= 10_000:
        return f"{microseconds / 1000:.1f} ms"
    return f"{microseconds:.0f} us"


def comparison(before: Result, now: Result) -> str:
    """The ratios of two results side by side, as text."""
    rows = [f"{'ratio':50} {'committed':>10} {'now':>8}"]
    earlier = {name: found for name, found, _, _ in goals(before)}
    for name, found, _, _ in goals(now):
        if found is not None:
            old = earlier.get(name)
            rows.append(f"{name:50} {'-' if old is None else f'{old:.2f}':>10} {found:8.2f}")
    earlier |= dict(besides(before))
    for name, found in besides(now):
        old = earlier.get(name)
        rows.append(f"{name:50} {'-' if old is None else f'{old:.2f}':>10} {found:8.2f}")
    return "\n".join(rows)


# --- the picture ---

_COLOURS = {
    "s3gateway": "#0b6bcb",
    "envoy": "#b5651d",
    "nginx": "#2e8b57",
    "nginx-large": "#8fbc8f",
    "haproxy": "#8a8d91",
    "haproxy-splice": "#555a60",
    "versitygw": "#7b4ba0",
}
_SHOWN = ("GET 1 KiB", "GET 64 KiB", "GET 1 MiB", "GET 64 MiB", "PUT 1 MiB", "PUT 64 MiB")


def picture(result: Result) -> str:
    """An SVG: CPU per request as a part of Envoy's, a group of bars for each workload."""
    bar, gap, left, top, full = 18, 26, 10, 46, 200
    groups = [(name, _parts(result, name)) for name in _SHOWN]
    most = max([1.0, *(part for _, parts in groups for _, part in parts)])
    scale = full / most
    shapes: list[str] = []
    x = left
    for name, parts in groups:
        begun = x
        for contender, part in parts:
            height = part * scale
            y = top + full - height
            shapes.append(
                f'<rect x="{x}" y="{y:.1f}" width="{bar - 2}" height="{height:.1f}" '
                f'fill="{_COLOURS[contender]}"/>'
            )
            shapes.append(_text(x + bar / 2 - 1, y - 3, f"{part:.2f}", 9, "middle"))
            x += bar
        shapes.append(_text((begun + x) / 2, top + full + 16, name, 12, "middle"))
        x += gap
    key = left
    legend = []
    shown = {contender for _, parts in groups for contender, _ in parts}
    for contender, colour in _COLOURS.items():
        if contender not in shown:
            continue
        legend.append(f'<rect x="{key}" y="22" width="10" height="10" fill="{colour}"/>')
        legend.append(_text(key + 14, 31, contender, 11, "start"))
        key += 34 + 7 * len(contender)
    width, height = x, top + full + 28
    title = _text(left, 13, "CPU per request, Envoy with request signing = 1 (less is better)", 12)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n'
        + "\n".join([title, *legend, *shapes])
        + "\n</svg>\n"
    )


def _parts(result: Result, workload: str) -> Sequence[tuple[str, float]]:
    found = []
    for contender in _COLOURS:
        try:
            ours = cpu(result, workload, contender, "http", 32)
            found.append((contender, ours / cpu(result, workload, "envoy", "http", 32)))
        except (KeyError, ZeroDivisionError):
            continue
    return found


def _text(x: float, y: float, text: str, size: int, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="#222">{text}</text>'
    )
