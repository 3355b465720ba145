"""Reads values that are not in the configuration itself: `${VAR}`, `*_file` and key pairs.

Rules: no message holds a value that is read here; each file is recorded when it is read, so that
control can watch it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any

from pydantic import SecretStr

from gateway.config.credential_sources import KeyPair
from gateway.config.layers import KEY_SETTINGS
from gateway.config.problems import Path
from gateway.config.reading import Reader
from gateway.config.schema import Keys
from gateway.config.value_types import KEY_ID, SECRET
from gateway.config.yaml_tree import Scalar, Value

MAX_FILE_BYTES = 1 << 20  # a certificate bundle is 200 KiB

# What changes when a file is written or replaced: nanoseconds, bytes, inode.
Stamp = tuple[int, int, int]

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[^}]*)(?P<end>\}?)")
_LITERAL = re.compile(
    r"\$(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\((?P<inner>[A-Za-z_][A-Za-z0-9_]*)\))"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def expand_variables(reader: Reader, environ: Mapping[str, str]) -> None:
    """Replaces `${VAR}` in every value of the reader's tree; `$${` stands for a literal `${`."""
    _expand_members(reader.tree.data, (), reader, environ)


def _expand_members(
    node: dict[str, Value] | list[Value], path: Path, reader: Reader, environ: Mapping[str, str]
) -> None:
    """Expands in place: a large file has hundreds of thousands of values, and few have a `$`."""
    into: Any = node  # a step is a key of it or an index
    members: Iterable[tuple[Any, Value]]
    members = node.items() if isinstance(node, dict) else enumerate(node)
    for step, value in members:
        if isinstance(value, dict | list):
            _expand_members(value, (*path, step), reader, environ)
        elif value is not None and "$" in value:
            into[step] = _expanded(value, (*path, step), reader, environ)


def _expanded(value: Scalar, path: Path, reader: Reader, environ: Mapping[str, str]) -> Scalar:
    _warn_of_literals(value, path, reader, environ)
    if "${" not in value:
        return value
    for match in _REFERENCE.finditer(value):
        _check(match, path, reader, environ)
    text = _REFERENCE.sub(lambda match: environ.get(match["name"] or "", "") or "${", value)
    return Scalar(text, plain=False)


def _check(match: re.Match[str], path: Path, reader: Reader, environ: Mapping[str, str]) -> None:
    name = match["name"]
    reader.variables.add(name or "")
    if name is None or (match["end"] and _NAME.match(name) and environ.get(name)):
        return
    if not match["end"] or not _NAME.match(name):
        reader.error(path, "holds ${ without a variable's name and }", "write $${ for a plain ${")
    else:
        state = "empty" if name in environ else "not set"
        reader.error(path, f"the environment variable {name} is {state}")
    reader.broken.add(path)


def _warn_of_literals(
    value: Scalar, path: Path, reader: Reader, environ: Mapping[str, str]
) -> None:
    """Warns of a `$NAME` that looks like a variable but is used as it is.

    If the value may be a secret, the message shows only the name of an existing variable.
    """
    setting = path[-1]
    if setting == "description":
        return
    secret = setting in KEY_SETTINGS
    for match in _LITERAL.finditer(value):
        name = match["name"] or match["inner"]
        exists = name in environ
        whole = match[0] == value
        if exists or (name.isupper() and (whole or not secret)):
            shown = name if exists or not secret else "NAME"
            hint = f"write ${{{shown}}} for the variable"
            reader.warn(path, "holds $ and a name, which are taken as they stand", hint)
            return


class Files:
    """Reads the files that a configuration names; names are relative to the configuration."""

    def __init__(self, base: FilePath, reader: Reader) -> None:
        self._base = base
        self._reader = reader
        self.seen: dict[FilePath, Stamp | None] = {}  # as they were before they were read

    def resolve(self, name: str) -> FilePath:
        return self._base / FilePath(name).expanduser()

    def text(self, name: str, path: Path) -> str | None:
        """Reads a file's text; None after reporting a problem at `path`."""
        file = self.resolve(name)
        self.seen.setdefault(file, stamp(file))
        try:
            with file.open("rb") as stream:
                raw = stream.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            self._reader.error(path, f"cannot be read: {error.strerror}")
            return None
        if len(raw) > MAX_FILE_BYTES:
            self._reader.error(path, f"is larger than {MAX_FILE_BYTES} bytes")
            return None
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self._reader.error(path, "is not UTF-8 text")
            return None

    def line(self, name: str, path: Path) -> str | None:
        """Reads a file that holds one line; None after reporting a problem at `path`."""
        text = self.text(name, path)
        if text is None:
            return None
        value = text.strip("\r\n")
        if not value.strip() or "\n" in value or "\r" in value:
            problem = "holds more than one line" if value.strip() else "is empty"
            self._reader.error(path, problem)
            return None
        return value


def stamp(file: FilePath) -> Stamp | None:
    """Returns the stamp of a file, None if there is no file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def key_pair(section: Keys, path: Path, reader: Reader, files: Files) -> KeyPair | None:
    """Reads the pair of a section; None if there is none, or after an error."""
    key_id = _part(section, "access_key_id", path, reader, files)
    secret = _part(section, "secret_access_key", path, reader, files)
    if key_id is None or secret is None:
        _report_half(section, path, reader)
        return None
    return KeyPair(key_id, SecretStr(secret))


def _report_half(section: Keys, path: Path, reader: Reader) -> None:
    has_id = section.access_key_id or section.access_key_id_file
    has_secret = section.secret_access_key or section.secret_access_key_file
    if has_id and not has_secret:
        reader.error((*path, "secret_access_key"), "is not set, though access_key_id is")
    if has_secret and not has_id:
        reader.error((*path, "access_key_id"), "is not set, though secret_access_key is")


def _part(section: Keys, name: str, path: Path, reader: Reader, files: Files) -> str | None:
    inline = getattr(section, name)
    file_name = getattr(section, f"{name}_file")
    if inline is not None and file_name is not None:
        reader.error((*path, f"{name}_file"), f"is given together with {name}")
        return None
    if file_name is not None:
        at = (*path, f"{name}_file")
        line = files.line(file_name, at)
        grammar = SECRET if name == "secret_access_key" else KEY_ID
        if line is not None and not re.fullmatch(grammar, line):
            reader.error(at, "does not hold a valid value")
            return None
        return line
    return inline.get_secret_value() if isinstance(inline, SecretStr) else inline
