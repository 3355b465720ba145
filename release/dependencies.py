"""Finds what an installed s3gateway needs to run: its dependencies, theirs, and so on.

Rules: the answer is for every platform that is supported, not for the one that asks; nothing of an
extra is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = tuple(
    {
        "extra": "",
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    for python in PYTHONS
    for machine in ("x86_64", "aarch64")
)


def of(name: str) -> dict[str, metadata.Distribution]:
    """Returns each dependency by its canonical name. Raises PackageNotFoundError."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(direct(metadata.distribution(name)))
    while waiting:
        wanted = waiting.pop()
        if wanted not in found:
            found[wanted] = metadata.distribution(wanted)
            waiting.extend(direct(found[wanted]))
    return dict(sorted(found.items()))


def direct(distribution: metadata.Distribution) -> Iterator[str]:
    """Yields the canonical names of what it needs itself."""
    for text in distribution.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate(dict(one)) for one in PLATFORMS):
            yield str(canonicalize_name(requirement.name))
