"""Makes the pages and diagrams of docs/ that are made of something else.

python -m website.generate            writes them
python -m website.generate --check    exits 1 if one of them is not current
"""

from __future__ import annotations

import sys
from pathlib import Path

from website import reference
from website.diagrams import chain, migration, processes, request

DOCS = Path(__file__).parents[1] / "docs"
DIAGRAMS = {"chain": chain, "migration": migration, "processes": processes, "request": request}


def made() -> dict[Path, str]:
    """Returns the texts of the generated files."""
    pages = {DOCS / "reference" / "configuration.md": reference.page()}
    drawn = {DOCS / "diagrams" / f"{name}.svg": one.draw().svg() for name, one in DIAGRAMS.items()}
    return {**pages, **drawn}


def main(words: list[str]) -> int:
    """Writes the files, or says which are not current."""
    texts = made()
    stale = [path for path in texts if not path.exists() or path.read_text() != texts[path]]
    for path in stale:
        if words == ["--check"]:
            print(f"{path}: not current: python -m website.generate", file=sys.stderr)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path])
        print(f"{path}: written")
    return 1 if stale and words == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
