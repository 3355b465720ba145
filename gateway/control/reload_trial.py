"""Says what a reload would do: the problems, the requests that move, what only a restart changes.

Rules: nothing is changed, and no target is asked; it blocks, and runs in a thread.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway import config
from gateway.config.digest import digest
from gateway.supervisor import boot_settings


@dataclass(frozen=True, slots=True)
class Trial:
    """What a reload would do. `problems` and `warnings` are located lines."""

    ok: bool
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    digest: str = ""
    needs_restart: tuple[str, ...] = ()
    difference: Mapping[str, object] = field(default_factory=dict)  # and its `table` for a person

    def as_dict(self) -> dict[str, object]:
        """Returns it in plain JSON types (docs/operations.md)."""
        found: dict[str, object] = {
            "ok": self.ok,
            "dry_run": True,
            "problems": list(self.problems),
            "configuration_warnings": list(self.warnings),
        }
        if not self.ok:
            count = len(self.problems)
            noun = "problem" if count == 1 else "problems"
            return {**found, "error": f"a reload would be refused: {count} {noun}"}
        return {
            **found,
            "digest": self.digest,
            "needs_restart": list(self.needs_restart),
            **self.difference,
        }


def trial(launch: Mapping[str, object], text: str | None, boot: bytes) -> Trial:
    """Compares the file with `text`, which is in force; `boot`: the settings of the start."""
    # It brings all of the workers' admission, which control needs for nothing else.
    from gateway.explain.difference import difference
    from gateway.explain.shown_moves import table

    new = config.load(launch, os.environ)
    told = [
        (problem.severity is config.Severity.ERROR, problem.format()) for problem in new.problems
    ]
    problems = tuple(line for is_error, line in told if is_error)
    warnings = tuple(line for is_error, line in told if not is_error)
    if new.model is None:
        return Trial(False, problems, warnings)
    old = config.load(launch, os.environ, text) if text is not None else new
    parsed = boot_settings.parse(json.dumps(new.boot()).encode())
    found = difference(old.model, new.model) if old.model is not None else None
    return Trial(
        True,
        warnings=warnings,
        digest=digest(new.model),
        needs_restart=tuple(boot_settings.parse(boot).differences(parsed)) if boot else (),
        difference={**found.as_dict(), "table": list(table(found.moves))} if found else {},
    )
