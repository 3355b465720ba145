"""What a router process is made from: the class, where it is, its configuration and its limit."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Definition:
    """One router. Two that are equal are the same router, as far as the configuration says.

    stamp: a digest of the operator's modules, as they were imported when the configuration was
        read; empty if nobody has imported them since.
    """

    module: str
    name: str  # of the class
    path: tuple[str, ...]  # absolute directories, searched in order
    memory_mb: int
    config: str  # JSON: as objects, that of 100,000 rules would be 100 MB in the supervisor
    stamp: str = ""

    def encoded(self) -> bytes:
        """Returns the definition as JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def decoded(cls, text: bytes) -> Self:
        """Reads what `encoded` wrote. Raises ValueError, KeyError or TypeError."""
        found = json.loads(text)
        return cls(**{**found, "path": tuple(found["path"])})
