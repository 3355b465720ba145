"""Makes the keys that upload ids are sealed with: of `router.secret_file`, or of static secrets.

Rules: a key is made by a one-way function, so a snapshot shows nobody the secret of the file; the
same configuration gives the same keys, so that replicas agree; credentials that expire are in no
key; no message holds a line of the file.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable
from typing import NamedTuple

from pydantic import SecretStr

from gateway.config.problems import Path, Place, Problem, Severity, format_path
from gateway.config.reading import Reader
from gateway.config.schema import Config, Identity, Keys, Target
from gateway.config.secrets import Files

SECRET_FILE: Path = ("router", "secret_file")
MAKE_ONE = "openssl rand -hex 32"

# 64 bits even if each is a hexadecimal digit: more than anybody tries against one id.
MIN_CHARACTERS = 16
# Each further key costs some microseconds for every upload id that no key has sealed; nobody runs
# uploads that are older than seven replacements.
MAX_LINES = 8
# The same for keys that earlier configurations gave: four changes of access keys in the time that
# an upload takes.
MAX_KEPT = 4

_OF_FILE = b"s3gateway seal key of router.secret_file"
_OF_SECRETS = b"s3gateway seal key of static secrets"
_OF_START = b"s3gateway seal key of one start"


def read_secret_file(reader: Reader, files: Files, name: str | None) -> tuple[bytes, ...]:
    """Returns a key of each line; none without a file, or after reporting a problem.

    Blank lines and those that begin with `#` are none: a comment that were a secret could be
    guessed.
    """
    text = files.text(name, SECRET_FILE) if name is not None else None
    if text is None:
        return ()
    lines: dict[str, None] = {}  # in their order, each once
    for number, written in enumerate(text.split("\n"), start=1):
        line = written.strip()
        if not line or line.startswith("#"):
            continue
        if len(line) < MIN_CHARACTERS:
            message = f"line {number} of the file has less than {MIN_CHARACTERS} characters"
            reader.error(SECRET_FILE, message, f"make one with: {MAKE_ONE}")
            return ()
        lines[line] = None
    if not lines:
        reader.error(SECRET_FILE, "the file holds no secret", f"make one with: {MAKE_ONE}")
    if len(lines) > MAX_LINES:
        message = f"the file holds more than {MAX_LINES} secrets"
        reader.error(SECRET_FILE, message, "remove the last lines, which are the oldest")
    return tuple(_key(_OF_FILE, [line.encode()]) for line in lines)


def static_key(identities: Collection[Identity], targets: Collection[Target]) -> bytes | None:
    """Returns the key made of the secrets in the configuration; None if it has none."""
    found = _static_secrets(identities, targets)
    return _key(_OF_SECRETS, sorted(found)) if found else None


def _who_has_every_secret(
    identities: Collection[Identity], targets: Collection[Target]
) -> str | None:
    """Returns the name of a client that may not do everything, and has every static secret.

    It could seal an id that names any bucket of its targets.
    """
    found = _static_secrets(identities, targets)
    for identity in identities:
        if identity.allow is not None and found == _secrets((identity, *identity.keys)):
            return identity.name
    return None


def _static_secrets(identities: Collection[Identity], targets: Collection[Target]) -> set[bytes]:
    more = [
        keys for identity in identities for keys in (*identity.keys, *identity.credentials.values())
    ]
    return _secrets((*identities, *targets, *more))


def _secrets(sections: Iterable[Keys]) -> set[bytes]:
    pairs = [section.pair for section in sections]
    return {_shown(pair.secret_access_key) for pair in pairs if pair is not None}


class SealKeys(NamedTuple):
    """The keys of a configuration in use: those that it gives, and those from before.

    `kept` only verify. A line that was removed from the file is not among them: to remove it is how
    an operator has what it sealed refused.
    """

    given: tuple[bytes, ...]
    of_file: bool
    kept: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"SealKeys({len(self.given)} given, {len(self.kept)} kept)"

    @property
    def ordered(self) -> tuple[bytes, ...]:
        """Every key; the first seals."""
        return self.given + self.kept

    @classmethod
    def after(cls, previous: SealKeys | None, model: Config, start_secret: bytes) -> SealKeys:
        """Returns the keys of a configuration that follows another one."""
        given = seal_keys(model) or (_key(_OF_START, [start_secret]),)
        of_file = model.router.secret_file is not None
        if previous is None:
            return cls(given, of_file)
        edited = previous.of_file and of_file
        known = previous.kept if edited else previous.ordered
        kept = tuple(key for key in known if key not in given)[:MAX_KEPT]
        return cls(given, of_file, kept)

    def changed(self, previous: SealKeys | None) -> bool:
        """Whether other secrets made another key, so that one from before is kept."""
        if previous is None or self.of_file:
            return False
        return self.given[0] != previous.given[0]


def seal_keys(model: Config) -> tuple[bytes, ...]:
    """Returns the keys that a configuration gives; the first seals. Empty if it gives none."""
    if model.router.secret_file is not None:
        return model.router.seal_keys
    key = static_key(model.identities, model.targets.values())
    return () if key is None else (key,)


def warn_of_weak_key(
    reader: Reader, identities: Collection[Identity], targets: Collection[Target]
) -> None:
    """Warns of a configuration that gives no key, or one that a client with few rights can make."""
    knows_all = _who_has_every_secret(identities, targets)
    if static_key(identities, targets) is None:
        message = (
            "is not set, and there is no static secret to make a key of: uploads in parts are"
            " continued neither by other replicas nor after a restart"
        )
    elif knows_all is not None:
        message = (
            f"is not set, and {knows_all} has every secret that the key is made of: it could make"
            " upload ids that name buckets which it may not use"
        )
    else:
        return
    reader.warn(SECRET_FILE, message, f"name a file with the output of: {MAKE_ONE}")


def warning_of_change(place: Place) -> Problem:
    """Returns the warning that a reload made another key."""
    message = (
        "is not set, and the static secrets that the key is made of have changed: uploads in parts"
        " that were begun before are continued until a restart, and not by replicas that start now"
    )
    path, hint = format_path(SECRET_FILE), f"name a file with the output of: {MAKE_ONE}"
    return Problem(place, path, message, hint, Severity.WARNING)


def _key(purpose: bytes, secrets: list[bytes]) -> bytes:
    # With their lengths: two lists must not make one text.
    text = b"".join(len(secret).to_bytes(4, "big") + secret for secret in secrets)
    return hmac.digest(purpose, text, "sha256")


def _shown(secret: SecretStr) -> bytes:
    return secret.get_secret_value().encode()
