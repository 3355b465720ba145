"""Fails if any test of the given JUnit reports was skipped, unless it is exempt by name.

Rules: an exemption names one test and says why it cannot run; what is exempt but ran is no longer
needed and fails too. An expected failure counts as a skip.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree

# "module.path::test name" -> why it cannot run where CI runs.
EXEMPT: dict[str, str] = {}


def skipped(report: str) -> dict[str, str]:
    """Return test -> reason for every skipped test; raises SystemExit for an empty report."""
    cases = list(ElementTree.parse(report).iter("testcase"))
    if not cases:
        raise SystemExit(f"{report}: no test ran")
    found = {}
    for case in cases:
        mark = case.find("skipped")
        if mark is not None:
            found[f"{case.get('classname')}::{case.get('name')}"] = mark.get("message", "")
    return found


def main(reports: list[str]) -> int:
    found = {test: reason for report in reports for test, reason in skipped(report).items()}
    for test, reason in sorted(found.items()):
        sys.stdout.write(f"skipped: {test}: {reason} [{EXEMPT.get(test, 'NOT EXEMPT')}]\n")
    for test in sorted(EXEMPT.keys() - found.keys()):
        sys.stdout.write(f"exempt, but it ran: {test}\n")
    return 0 if found.keys() == EXEMPT.keys() else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
