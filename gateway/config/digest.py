"""Returns the digest of a configuration: equal ones decide every request alike.

Replicas with the same file, environment and version have the same digest, so that an
operator can see when a change has reached all of them.

Rules: a secret is no part of it, nor is the content of a file that the configuration names, nor
what only a restart puts in force and flags say for each replica (addresses, number of workers);
every other setting is, and of a rule all but its description and its line. A time zone is its name,
as its file differs from machine to machine.
"""

from __future__ import annotations

import hashlib
import json

from fastpath.routing.rules import Packed, pack
from gateway.config.effective import effective
from gateway.config.schema import Admin, Config, Router


def digest(model: Config, packed: Packed | None = None) -> str:
    """Returns 64 hexadecimal digits; `packed` are the model's rules, if that is made already."""
    settings = effective(_without_boot(model.without_rules()))
    rules = {**(pack(model.rules) if packed is None else packed), "zones": _zones(model)}
    text = json.dumps([settings, rules], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _zones(model: Config) -> list[str | None]:
    """Returns the names of time zones in the order of the rules, instead of their files."""
    zones = (rule.conditions.timezone for rule in model.rules if rule.conditions is not None)
    return list(dict.fromkeys(zones))


def _without_boot(model: Config) -> Config:
    """Returns the configuration with the defaults of addresses and workers."""
    router = model.router
    names = ("listen_address", "admin_address", "workers")
    defaults = {name: Router.model_fields[name].default for name in names}
    if router.tls is not None:
        addresses = type(router.tls).model_fields["listen_address"].default
        defaults["tls"] = router.tls.model_copy(update={"listen_address": addresses})
    # Who may use the admin plane decides no request.
    changed = {"router": router.model_copy(update=defaults), "admin": Admin()}
    return model.model_copy(update=changed)
