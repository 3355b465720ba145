"""Writes the reference of the configuration: one page with every setting.

Rules: core Markdown alone, so that the page reads on the repository as on the site; each setting
has a heading, by which it is found and linked to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from website.settings import Setting, root

HEAD = """\
# Configuration reference

Every setting of the file, by its dotted path; `*` is a name that you choose, `[]` an entry of a
list. The [guide](../configuration.md) explains how they work together. `s3gateway config --origin`
prints the values in force and where each came from.

- **In force:** *on a reload* (SIGHUP, `s3gateway reload`,
  [`router.watch`](../configuration.md#watching-the-file)), or *at the start*: a reload names a
  change as one that needs a restart, and goes on without it.
- **Also:** flags and environment variables that set it, too. A flag is stronger than its variable,
  and both are stronger than the file; the variables of targets are weaker than the file. Any value
  may be `${VAR}`.
- A text may be quoted, and so may a number. A path that is relative starts from the directory of
  the file.

This page is made by `python -m website.generate` of the models in `gateway/config/schema.py` and
`fastpath/limits.py`.

| section | what it is |
|---|---|
"""


def page() -> str:
    """Returns the text of the page."""
    sections = list(_sections(root()))
    rows = [f"| [`{one.path}`](#{anchor(one.path)}) | {_cell(one.meaning)} |" for one in sections]
    bodies = ["\n".join(_section(one)) for one in sections]
    return HEAD + _relative("\n".join(rows)) + "\n\n" + _relative("\n\n".join(bodies)) + "\n"


def _sections(settings: Sequence[Setting]) -> Iterator[Setting]:
    for setting in settings:
        if setting.settings or "." not in setting.path:
            yield setting
            yield from _sections(setting.settings)


def anchor(path: str) -> str:
    """Returns the anchor that the heading of a setting gets, on the repository and the site."""
    return re.sub(r"[^a-z0-9_-]", "", path.lower())


def _cell(text: str) -> str:
    """Returns the first sentence of a meaning."""
    return (
        re.split(r"(?<=\.) (?=[A-Z`])|: ", text, maxsplit=1)[0]
        .removesuffix(".")
        .replace("|", "\\|")
    )


def _section(section: Setting) -> Iterator[str]:
    yield f"## `{section.path}`"
    yield ""
    yield section.meaning
    if facts := _facts(section):
        yield ""
        yield from facts
    for setting in section.settings:
        if not setting.settings:
            yield ""
            yield f"### `{setting.path}`"
            yield ""
            yield setting.meaning
            yield ""
            yield from _facts(setting)


def _facts(setting: Setting) -> list[str]:
    """Returns what is known of a setting, a line each; of a section only what is special."""
    is_section = "section" in setting.kind
    facts = []
    if not is_section or setting.kind != "section":
        facts.append(f"- Type: {setting.kind}{', ' + setting.unit if setting.unit else ''}")
    if not is_section or setting.default != "none":
        facts.append(f"- Default: {setting.default}")
    if setting.at_start:
        facts.append("- In force: at the start; a change needs a restart")
    elif not is_section:
        facts.append("- In force: on a reload")
    if setting.variables:
        facts.append("- Also: " + ", ".join(_code(one) for one in setting.variables))
    return facts


def _code(variable: str) -> str:
    name, _, target = variable.partition(" ")
    return f"`{name}`" + (f" {target}" if target else "")


def _relative(text: str) -> str:
    """Returns a text whose links start from the page; those of meanings start from docs/."""
    return re.sub(r"\]\((?![#/]|https?:)", "](../", text)
