"""Returns the digest of a configuration: equal ones decide every request alike.

Replicas with the same file, environment and version have the same digest, so that an
operator can see when a change has reached all of them.

Rules: a secret is no part of it, nor is the content of a file that the configuration names, nor
what only a restart puts in force and flags say for each replica (addresses, number of workers);
every other setting is, and of a rule all but its description and its line.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from fastpath.routing.rules import pack
from gateway.config.effective import effective
from gateway.config.schema import Config, Router

SHOWN: Final = 16  # characters that are printed for people, of 64


def packed_rules(model: Config) -> str:
    """Returns the rules as the text that workers get."""
    return json.dumps(pack(model.rules), separators=(",", ":"))


def digest(model: Config, rules: str | None = None) -> str:
    """Returns 64 hexadecimal digits; `rules` are the packed ones, if they are made already."""
    settings = json.dumps(effective(_without_boot(model.without_rules())), sort_keys=True)
    rules = packed_rules(model) if rules is None else rules
    return hashlib.sha256(f"{settings}\n{rules}".encode()).hexdigest()


def _without_boot(model: Config) -> Config:
    """Returns the configuration with the defaults of addresses and workers."""
    router = model.router
    defaults = {name: Router.model_fields[name].default for name in ("listen_address", "workers")}
    if router.tls is not None:
        addresses = type(router.tls).model_fields["listen_address"].default
        defaults["tls"] = router.tls.model_copy(update={"listen_address": addresses})
    return model.model_copy(update={"router": router.model_copy(update=defaults)})
