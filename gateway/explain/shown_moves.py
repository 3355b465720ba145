"""Writes what moves between two configurations, as a table with warnings, or as JSON.

    pattern          reads             writes
    data-*           old -> new > old  old -> new
    warning: data-*: ...

Rules: a row has what moves alone; lists and deletes, which go where reads look, are told where they
do not; one warning stands for all buckets of a pattern.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.explain.moves import Behaviour, Move, Place, warnings

_HEAD = ("pattern", "reads", "writes", "")
_SAME = "the same"


def table(found: Sequence[Move]) -> Iterator[str]:
    """Yields the rows of the table; none if nothing moves."""
    if not found:
        return
    rows = [_HEAD, *(_row(move) for move in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def all_warnings(found: Sequence[Move]) -> Iterator[str]:
    """Yields the warnings, each once."""
    said = (f"{_whose(move)}: {text}" for move in found for text in warnings(move))
    return iter(dict.fromkeys(said))


def as_dict(move: Move) -> dict[str, object]:
    """The form of `--format json`."""
    return {
        "pattern": move.pattern,
        "bucket": move.bucket,
        "key": move.key,
        "identities": None if move.identities is None else list(move.identities),
        "changed": list(move.changed),
        "old": move.old.as_dict(),
        "new": move.new.as_dict(),
        "warnings": list(warnings(move)),
    }


def _whose(move: Move) -> str:
    """Returns which requests are meant: of a pattern, perhaps of a key and of identities."""
    whose = move.pattern
    if move.key is not None:
        whose += f" key {move.key}"
    if move.identities is not None:
        whose += f" of {', '.join(name or 'others' for name in move.identities)}"
    return whose


def _row(move: Move) -> tuple[str, ...]:
    old, new, changed = move.old, move.new, move.changed
    reads = _change(old.reads, new.reads, " > ") if "reads" in changed else _SAME
    writes = _change(old.writes, new.writes, " | ") if "writes" in changed else _SAME
    others = [
        f"{word} {_change(getattr(old, word), getattr(new, word), ' > ')}"
        for word in ("lists", "deletes")
        if word in changed and not _follows(move, word)
    ]
    return _whose(move), reads, writes, "; ".join(others)


def _follows(move: Move, word: str) -> bool:
    """Whether these requests go where reads look, before and after."""

    def same(behaviour: Behaviour) -> bool:
        return bool(getattr(behaviour, word) == behaviour.reads)

    return same(move.old) and same(move.new)


def _change(old: Sequence[Place], new: Sequence[Place], between: str) -> str:
    before, after = _joined(old, between), _joined(new, between)
    if before == after:  # it is another endpoint, or other names there
        return f"{before} -> {after}, at another place"
    return f"{before} -> {after}"


def _joined(places: Sequence[Place], between: str) -> str:
    return between.join(str(place) for place in places) or "refused"
