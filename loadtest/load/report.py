"""The table of a run for a terminal, and its page.

Rules: every number in the page is in the table's rows as well; text from elsewhere is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from loadtest.load.measured import Compared
from loadtest.load.thresholds import limit

HEADINGS = (
    *("scenario", "way", "requests", "failed", "req/s", "of first", "p50 ms", "p99 ms"),
    *("of first", "locust", "gateway", "stores", "limit"),
)
_TEXTS = 2  # columns at the left


def rows(found: Sequence[Compared], workers: int, cores: int) -> list[list[str]]:
    """One for each way; CPU in cores that were in use."""
    made = []
    for one in found:
        for way in (one.first, one.second):
            second = way is one.second
            made.append(
                [
                    "" if second else one.scenario,
                    way.name,
                    str(way.requests),
                    str(way.failed),
                    f"{way.per_second:.0f}" if way.per_second >= 10 else f"{way.per_second:.1f}",
                    f"{one.throughput:.2f}" if second else "",
                    f"{way.p50_ms:.1f}",
                    f"{way.p99_ms:.1f}",
                    f"{one.p99:.2f}" if second else "",
                    *(f"{way.cpu.get(name, 0.0):.2f}" for name in ("locust", "gateway", "stores")),
                    limit(way, workers, cores),
                ]
            )
    return made


def table(made: Sequence[Sequence[str]]) -> str:
    """Columns of even width."""
    lines = [list(HEADINGS), *(list(row) for row in made)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < _TEXTS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def told_lines(told: Mapping[str, Sequence[str]], found: Sequence[Compared]) -> list[str]:
    """Routing, reloads, and what was broken."""
    asked = sum(one.asked for one in found)
    wrong = sum(len(one.wrong) for one in found)
    lines = [f"routing: {asked - wrong} of {asked} decisions as expected, asked under load"]
    if reloads := sum(one.reloads for one in found):
        lines.append(f"reloads: {reloads} applied under load")
    for name, sentences in told.items():
        lines += [f"BROKEN {name}: {sentence}" for sentence in sentences]
    if not any(told.values()):
        lines.append("all thresholds are kept")
    return lines


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>make load</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; max-width: 75rem; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .2rem .7rem; text-align: right; }}
td:nth-child(-n+2), th:nth-child(-n+2) {{ text-align: left; }}
tr:nth-child(even) td {{ border-bottom: 1px solid #ccc; }} .broken {{ color: #b00020; }}
</style></head><body><h1>make load</h1><p>{said}</p>
<table><tr>{heads}</tr>{body}</table>
<p>CPU is in cores that were in use. "limit" is what had none left: where it says locust, the
throughput is locust's, not the gateway's.</p>
<ul>{lines}</ul><h2>Locust's own reports</h2><ul>{links}</ul></body></html>
"""


def page(
    said: str, made: Sequence[Sequence[str]], lines: Sequence[str], links: Sequence[str]
) -> str:
    """One file without scripts; `links` are names of files beside it."""
    escape = html.escape
    return _PAGE.format(
        said=escape(said),
        heads="".join(f"<th>{escape(name)}</th>" for name in HEADINGS),
        body="".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in made
        ),
        lines="".join(
            f"<li{' class=broken' if line.startswith('BROKEN') else ''}>{escape(line)}</li>"
            for line in lines
        ),
        links="".join(
            f'<li><a href="{escape(name)}">{escape(name.removesuffix(".html"))}</a></li>'
            for name in links
        ),
    )
