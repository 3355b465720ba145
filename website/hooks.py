"""Makes pages of the repository's other documents, for MkDocs, and links between them and docs/.

Rules: a document is written for the repository, with links from file to file; here each link is
followed in the repository and then made one of the site. The README is the first page; other
documents and what a document links to (sources, folders) get a page below `repository/`. A link
that leads nowhere stays as it is, so that MkDocs tells of it, and the build fails.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

from website.lists import written_anew

HOME = "README.md"
SHOWN = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".json": "json", ".service": "ini", ".sh": "sh"}

LARGE_BYTES = 65536  # a page of more than that shows no reader anything

_FENCE = re.compile(r"(^ *(`{3,}|~{3,}).*?^ *\2[^\n]*$)", re.MULTILINE | re.DOTALL)
_SECOND_WORD = re.compile(r"\A( *(?:`{3,}|~{3,})\w+) [^\n]*")  # of a fence: for tests alone
_COMMENT = re.compile(r"^ *<!--.*?-->\n", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()([^)#\s]+)(#[^)\s]*)?(?=[)\s])")


def anchor(heading: str, separator: str) -> str:
    """Returns the anchor of a heading, as the repository's own pages have it."""
    return re.sub(r"[^\w -]", "", heading.lower().strip()).replace(" ", separator)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the pages of a folder where the navigation names the folder: `Decisions: adr/`."""
    config.nav = _expanded(config.nav, Path(config.docs_dir))
    return config


def _expanded(entry: Any, docs: Path) -> Any:
    if isinstance(entry, list):
        return [_expanded(one, docs) for one in entry]
    if isinstance(entry, dict):
        return {name: _expanded(one, docs) for name, one in entry.items()}
    if isinstance(entry, str) and entry.endswith("/"):
        return [f"{entry}{page.name}" for page in sorted((docs / entry).glob("*.md"))]
    return entry


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for each document outside of docs/, and for what documents link to."""
    root = _root(config)
    made: dict[str, File] = {}
    waiting = [HOME, *SHOWN]
    waiting += [path for file in files.documentation_pages() for path in _linked(file, root)]
    while waiting:
        path = waiting.pop()
        if path in made or (path.startswith("docs/") and not (root / path).is_dir()):
            continue
        made[path] = _page(path, root, config)
        waiting += list(_linked(made[path], root))
    for file in made.values():
        files.append(file)
    return files


def on_page_markdown(markdown: str, /, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links of the repository into links of the site."""
    at = _origin(page.file)
    here = PurePosixPath(page.file.src_uri).parent

    def turned(link: re.Match[str]) -> str:
        to = _resolved(at, link[1])
        if to is None or not (_root(config) / to).exists():
            return link[0]
        return os.path.relpath(_place(to, _root(config)), here) + (link[2] or "")

    pieces = _FENCE.split(written_anew(markdown))
    # A fence is split off as itself and its mark.
    for index in range(0, len(pieces), 3):
        pieces[index] = _LINK.sub(turned, _COMMENT.sub("", pieces[index]))
    for index in range(1, len(pieces), 3):
        pieces[index] = _SECOND_WORD.sub(r"\1", pieces[index], count=1)
    return "".join(piece for index, piece in enumerate(pieces) if index % 3 != 2)


def _root(config: MkDocsConfig) -> Path:
    return Path(config.docs_dir).parent


def _linked(file: File, root: Path) -> Iterator[str]:
    """Yields what a page links to that exists, by its path in the repository."""
    text = "".join(_FENCE.split(file.content_string)[::3])
    for link in _LINK.finditer(text):
        path = _resolved(_origin(file), link[1])
        if path is not None and (root / path).exists():
            yield path


def _resolved(at: str, link: str) -> str | None:
    """Returns where a link of a document leads in the repository; None: elsewhere."""
    if re.match(r"[a-z]+:|/", link):
        return None
    path = os.path.normpath(os.path.join(os.path.dirname(at), link))
    return None if path.startswith("..") else path


def _origin(file: File) -> str:
    """Returns the path that a page's document has in the repository."""
    place = str(file.src_uri)
    if place == "index.md":
        return HOME
    inside = place.removeprefix("repository/")
    return f"docs/{place}" if inside == place else inside


def _place(path: str, root: Path) -> str:
    """Returns the name of the page for a path of the repository."""
    if path == HOME:
        return "index.md"
    if path.startswith("docs/") and not (root / path).is_dir():
        return path.removeprefix("docs/")
    return f"repository/{path}" if path.endswith(".md") else f"repository/{path}.md"


def _page(path: str, root: Path, config: MkDocsConfig) -> File:
    """Makes the page of a document, or one that shows a source or lists a folder."""
    place = _place(path, root)
    if path.endswith(".md"):
        return File.generated(config, place, content=(root / path).read_text())
    found = InclusionLevel.NOT_IN_NAV
    body = _listing(path, root) if (root / path).is_dir() else _source(root / path)
    head = f"---\ntitle: {path}\nsearch: {{exclude: true}}\n---\n\n# `{path}`\n\n"
    return File.generated(config, place, content=head + body, inclusion=found)


def _source(path: Path) -> str:
    fence = "`" * 5
    return f"{fence}{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text().rstrip()}\n{fence}\n"


def _listing(path: str, root: Path) -> str:
    """Returns links to the files of a folder."""
    folder = root / path
    files = sorted(one for one in folder.iterdir() if one.is_file() and one.name[0] != ".")
    return "".join(
        f"- [`{one.name}`]({folder.name}/{one.name})\n"
        if one.stat().st_size <= LARGE_BYTES
        else f"- `{one.name}`\n"
        for one in files
    )
