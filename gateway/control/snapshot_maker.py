"""Makes a snapshot from files and environment: the bytes that control publishes.

Rules: everything here blocks, and runs in a thread; the same configuration and credentials give the
same bytes, so that the supervisor can see that nothing changed; problems are returned, not raised.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fastpath.routing.rules import pack
from gateway import config
from gateway.config.compile import compile_snapshot
from gateway.config.digest import digest
from gateway.config.load import without_collector
from gateway.config.problems import Place
from gateway.config.seal_keys import SECRET_FILE, SealKeys, warning_of_change
from gateway.config.secrets import Stamp
from gateway.control.credentials import Keyring
from gateway.control.health_checks import Check, chained_targets, checks_of

if TYPE_CHECKING:
    from gateway.config.schema import Config


# Of the files of secrets and certificates. The configuration itself is not among them: a secret is
# replaced whole, but a configuration may be saved in the middle of an edit, and half a list of
# rules is valid. It takes effect when the operator says so (or `router.watch`: `config_watch`).
Stamps = dict[Path, Stamp | None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A configuration that cannot be used; one line per problem."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    stamps: Stamps


@dataclass(frozen=True, slots=True)
class Lifelong:
    """What snapshots are made of that stays the same for the life of the supervisor.

    instance: what targets see of it.
    router_address: where the custom router is asked.
    start_secret: what a key is made of if the configuration gives none; nobody sees it.
    """

    instance: str
    router_address: str
    start_secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Publication:
    """A configuration in use, and how to compile it again with fresh credentials.

    The model is without its rules, which are kept as the text that workers get: as objects they
    would be spread over the memory that the load took, and keep it from being freed.
    """

    model: Config
    rules: str
    keyring: Keyring
    seal_keys: SealKeys
    lifelong: Lifelong
    warnings: tuple[str, ...]
    boot: bytes
    router: bytes  # the definition of the custom router; empty without one
    text: str  # what the file said; empty without one
    stamps: Stamps
    digest: str  # of the configuration
    admin_is_asked_for: bool  # somebody has given its address: it is not the default
    checks: Mapping[str, Check]  # of the targets whose health is checked

    def snapshot(self) -> bytes:
        """Resolves credentials and compiles; blocks for as long as the keyring may."""
        lifelong = self.lifelong
        document = compile_snapshot(self.model, self.keyring.resolve(), lifelong.router_address)
        document["instance"] = lifelong.instance
        document["seal_keys"] = [key.hex() for key in self.seal_keys.ordered]
        del document["rules"]
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        return f'{text[:-1]},"rules":{self.rules}}}'.encode()

    def next_refresh(self) -> float | None:
        """Epoch seconds by which `snapshot` must be taken again; None = never."""
        return self.keyring.next_refresh()


def read(
    launch: Mapping[str, object],
    lifelong: Lifelong,
    previous: Publication | None,
    text: str | None = None,
    *,
    served: bytes = b"",
) -> Publication | Refusal:
    """Loads and validates the configuration: `text`, or what is in the file.

    Keys that upload ids were sealed with are taken over from `previous`, or else from the snapshot
    that is `served`; a configuration that gives none has one made of the supervisor's secret.
    """
    with without_collector():
        return _read(launch, lifelong, previous, text, served)


def _read(
    launch: Mapping[str, object],
    lifelong: Lifelong,
    previous: Publication | None,
    text: str | None,
    served: bytes,
) -> Publication | Refusal:
    loaded = config.load(launch, os.environ, text)
    found = [
        (problem.severity is config.Severity.ERROR, problem.format()) for problem in loaded.problems
    ]
    errors = tuple(line for is_error, line in found if is_error)
    warnings = tuple(line for is_error, line in found if not is_error)
    if loaded.model is None:
        return Refusal(errors, warnings, loaded.stamps)
    model = loaded.model.without_rules()
    earlier = previous.seal_keys if previous else _served_keys(served, model)
    seal_keys = SealKeys.after(earlier, model, lifelong.start_secret)
    if seal_keys.changed(earlier):
        place = loaded.tree.place(SECRET_FILE) or Place(loaded.source)
        warnings += (warning_of_change(place).format(),)
    rules = pack(loaded.model.rules)
    return Publication(
        model=model,
        rules=json.dumps(rules, separators=(",", ":")),
        keyring=Keyring(model, previous=previous.keyring if previous else None),
        seal_keys=seal_keys,
        lifelong=lifelong,
        warnings=warnings,
        boot=json.dumps(loaded.boot(), sort_keys=True).encode(),
        router=loaded.router.encoded() if loaded.router else b"",
        text=loaded.text or "",
        stamps=loaded.stamps,
        digest=digest(loaded.model, rules),
        admin_is_asked_for=("router", "admin_address") in loaded.tree.values,
        checks=checks_of(model, chained_targets(loaded.model)),
    )


def _served_keys(served: bytes, model: Config) -> SealKeys | None:
    """Returns the keys that the last control process published; None if there was none.

    If they are of a file, that file says now which of them are left.
    """
    if not served:
        return None
    keys = tuple(bytes.fromhex(key) for key in json.loads(served)["seal_keys"])
    return SealKeys(keys, of_file=model.router.secret_file is not None)


def differs(path: str, text: str) -> str:
    """Says how the file differs from the text in force; empty if it does not."""
    try:
        now = Path(path).read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if now == text.encode() else "differs from the configuration in force"


__all__ = ["Lifelong", "Publication", "Refusal", "Stamps", "differs", "read"]
