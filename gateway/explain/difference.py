"""Compares two configurations: whose requests move, and what is lost of sight by that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.config.schema import Config
from gateway.explain.moves import Move, moves, remarks
from gateway.explain.shown_moves import all_warnings, as_dict


class Difference(NamedTuple):
    """What differs between two configurations."""

    moves: Sequence[Move]
    warnings: Sequence[str]
    notes: Sequence[str]

    def as_dict(self) -> dict[str, object]:
        """Returns it in plain JSON types (docs/operations.md)."""
        return {
            "moves": [as_dict(move) for move in self.moves],
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


def difference(old: Config, new: Config) -> Difference:
    """Compares the configuration in use with a new one."""
    found = moves(old, new)
    return Difference(found, list(all_warnings(found)), list(remarks(old, new)))
