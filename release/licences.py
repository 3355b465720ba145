"""Writes docs/licences.md: the licence of everything that an installed s3gateway needs to run.

python -m release.licences            writes it, from the metadata of what is installed
python -m release.licences --check    exits 1 if it is not current, or a licence is not accepted

Rules: a licence is an SPDX expression, from the metadata or from the table here; one that ACCEPTED
does not have needs a reason in EXCEPTIONS.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from release import dependencies

PAGE = Path(__file__).resolve().parents[1] / "docs" / "licences.md"

# They ask for their notice to be kept, and no more.
ACCEPTED: Final = frozenset({"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "PSF-2.0"})

# Distribution -> its licence, and why it may be used though ACCEPTED does not have all of that.
EXCEPTIONS: Final = {
    "orjson": (
        "MPL-2.0 AND (Apache-2.0 OR MIT)",
        "MPL-2.0 is about the files of orjson itself; they are used as they are published",
    ),
}

# How metadata without a License-Expression say it: a field's text, or a classifier's last words.
_SPDX: Final = {
    "Apache Software License": "Apache-2.0",
    "Apache-2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT": "MIT",
    "MIT License": "MIT",
}

HEAD = """# Licences of the dependencies

s3gateway is under the [Apache License 2.0](../LICENSE). To run it needs the packages below, its own
dependencies and theirs, on any [platform](platforms.md). None is part of its wheel or its source
distribution: pip installs them, each with its own licence text. An image has them in it.

`python -m release.licences` writes this page from the metadata of the installed packages. A test
fails where it is not current, or a licence asks for more than its notice without a reason here.

| package | licence | |
|---|---|---|
"""


def licence(package: metadata.Distribution) -> str:
    """Returns the SPDX expression of a package's licence, or what it says instead, in quotes."""
    described = package.metadata
    if "License-Expression" in described:
        return described["License-Expression"]
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in described.get_all("Classifier") or ()
        if line.startswith("License ::")
    ]
    (named, *_) = described.get_all("License") or ["nothing"]
    said = classifiers or [named.partition("\n")[0]]
    if not all(one in _SPDX for one in said):
        return f'"{", ".join(said)}"'
    return " OR ".join(sorted({_SPDX[one] for one in said}))


def refused(licences: Mapping[str, str]) -> list[str]:
    """Returns a line for each package whose licence is neither accepted nor an exception."""
    lines = [
        f"{name}: {said}"
        for name, said in licences.items()
        if not is_accepted(said) and said != _exception(name)[0]
    ]
    lines += [f"{name}: an exception that is not needed" for name in EXCEPTIONS.keys() - licences]
    return lines


def _exception(name: str) -> tuple[str, str]:
    return EXCEPTIONS.get(name, ("", ""))


def is_accepted(expression: str) -> bool:
    """Whether all that an SPDX expression obliges to is in ACCEPTED, by one choice at least."""
    try:
        words = canonicalize_license_expression(expression).replace("(", "( ").replace(")", " )")
    except InvalidLicenseExpression:
        return False
    if " WITH " in words:
        return False
    known = {"AND": "and", "OR": "or", "(": "(", ")": ")"}
    # Of nothing but these four and True and False, and well-formed.
    return bool(eval(" ".join(known.get(word, str(word in ACCEPTED)) for word in words.split())))


def page(licences: Mapping[str, str]) -> str:
    """Returns the text of docs/licences.md."""
    rows = [
        f"| [{name}](https://pypi.org/project/{name}/) | {said} | {_exception(name)[1]} |"
        for name, said in licences.items()
    ]
    return HEAD + "\n".join(rows) + "\n"


def main(arguments: list[str]) -> int:
    """Writes or checks the page; returns the exit status."""
    licences = {name: licence(one) for name, one in dependencies.of("s3gateway").items()}
    problems = refused(licences)
    if arguments == ["--check"]:
        if not PAGE.exists() or PAGE.read_text() != page(licences):
            problems.append("docs/licences.md is not current: python -m release.licences")
    elif arguments:
        problems.append("usage: python -m release.licences [--check]")
    else:
        PAGE.write_text(page(licences))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
