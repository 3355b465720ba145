"""Reads static access keys, which are inline, in files or in the process environment.

Rules: the id and the secret are given together or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import SecretStr

from gateway.config.problems import Path
from gateway.config.reading import Reader
from gateway.config.schema import KeyPair, Keys
from gateway.config.secrets import Files
from gateway.config.words import KEY_ID, SECRET

# Keys of AWS's documentation and test suites, and of lakeFS's quickstart.
EXAMPLE_IDS = frozenset(
    (
        "AKIAIOSFODNN7EXAMPLE",
        "AKIAI44QH8DHBEXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "AKIDEXAMPLE",
        "AKIAIOSFOLKFSSAMPLES",
    )
)
EXAMPLE_SECRETS = frozenset(
    (
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
    )
)

_ID = re.compile(KEY_ID)
_SECRET = re.compile(SECRET)


def is_published(keys: KeyPair) -> bool:
    """Whether anybody can know this pair from documentation."""
    secret = keys.secret_access_key.get_secret_value()
    return keys.access_key_id in EXAMPLE_IDS or secret in EXAMPLE_SECRETS


def ambient_pair(environ: Mapping[str, str]) -> KeyPair | None:
    """The static pair of the environment; with a session token it is no static pair."""
    key_id = environ.get("AWS_ACCESS_KEY_ID", "")
    secret = environ.get("AWS_SECRET_ACCESS_KEY", "")
    token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN")
    if token or not _ID.fullmatch(key_id) or not _SECRET.fullmatch(secret):
        return None
    return KeyPair(key_id, SecretStr(secret))


def key_pair(section: Keys, path: Path, reader: Reader, files: Files) -> KeyPair | None:
    """The pair a section gives; None if it gives none, or a broken one (reported)."""
    key_id = _part(section, "access_key_id", path, reader, files)
    secret = _part(section, "secret_access_key", path, reader, files)
    if key_id is None or secret is None:
        _report_half(section, path, reader)
        return None
    return KeyPair(key_id, SecretStr(secret))


def _report_half(section: Keys, path: Path, reader: Reader) -> None:
    says_id = section.access_key_id or section.access_key_id_file
    says_secret = section.secret_access_key or section.secret_access_key_file
    if says_id and not says_secret:
        reader.error((*path, "secret_access_key"), "is not set, though access_key_id is")
    if says_secret and not says_id:
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
        grammar = _SECRET if name == "secret_access_key" else _ID
        if line is not None and not grammar.fullmatch(line):
            reader.error(at, "does not hold a valid value")
            return None
        return line
    return inline.get_secret_value() if isinstance(inline, SecretStr) else inline
