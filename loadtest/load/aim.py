"""Where requests go: a way maps each bucket to an endpoint and a key pair.

Rules: a way is plain data that crosses processes as JSON; secrets do so in a file that only its
owner may read, never in arguments.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

PREFIX = "loadtest/"  # of every key that a run writes


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint, and who asks there."""

    endpoint: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets of the scenarios: `data` and `old` are on one store, the others on the other."""

    data: str = "load-data"
    other: str = "lakefs-data"
    chain: str = "chain-data"
    old: str = "load-old"
    new: str = "lakefs-new"


@dataclass(frozen=True, slots=True)
class Aim:
    """One way: `places` by bucket, `place` for all others.

    `fallback` is where a client of a chain looks next, if it has to do so itself.
    """

    name: str
    place: Place
    places: Mapping[str, Place] = field(default_factory=dict)
    fallback: Place | None = None
    buckets: Buckets = Buckets()

    def of(self, bucket: str) -> Place:
        return self.places.get(bucket, self.place)

    def named(self, name: str) -> Aim:
        return replace(self, name=name)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def from_dict(found: Mapping[str, Any]) -> Aim:
    """What `as_dict` made."""
    return Aim(
        name=found["name"],
        place=Place(**found["place"]),
        places={bucket: Place(**place) for bucket, place in found["places"].items()},
        fallback=None if found["fallback"] is None else Place(**found["fallback"]),
        buckets=Buckets(**found["buckets"]),
    )


def from_environment(endpoint: str, environ: Mapping[str, str] = os.environ) -> Aim:
    """A gateway of the user's own (docs/load-testing.md). Raises SystemExit naming what lacks."""
    if not endpoint:
        raise SystemExit("loadtest: name the gateway: --host http://HOST:PORT")
    told = {
        one.name: environ[name]
        for one in fields(Buckets)
        if environ.get(name := f"LOAD_BUCKET_{one.name.upper()}")
    }
    place = _place(endpoint, "AWS", "a client of the gateway", environ)
    return Aim("gateway", place, buckets=Buckets(**told))


def fallback_from_environment(environ: Mapping[str, str] = os.environ) -> Place:
    """The store at which chain reads find half of their objects. Raises SystemExit likewise."""
    endpoint = environ.get("LOAD_FALLBACK_ENDPOINT", "")
    if not endpoint:
        raise SystemExit(
            "loadtest: ChainReads puts half of its objects at the fallback alone: set "
            "LOAD_FALLBACK_ENDPOINT to that store"
        )
    return _place(endpoint, "LOAD_FALLBACK", "that store", environ)


def _place(endpoint: str, names: str, whose: str, environ: Mapping[str, str]) -> Place:
    keys = (f"{names}_ACCESS_KEY_ID", f"{names}_SECRET_ACCESS_KEY")
    if missing := [name for name in keys if not environ.get(name)]:
        raise SystemExit(f"loadtest: set {' and '.join(missing)}: the key pair of {whose}")
    region = environ.get("AWS_REGION", "us-east-1")
    return Place(endpoint.rstrip("/"), environ[keys[0]], environ[keys[1]], region)
