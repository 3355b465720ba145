"""Remembers in which region of a target each bucket is, as the target said.

The endpoint of a target names its own region (`s3.us-east-1.amazonaws.com`). A request for a bucket
in another region goes to the endpoint of that region and is signed for it.

Rules: the host of another region is the target's own host with the region's name exchanged,
whatever host a redirect named, so that no answer can lead a signed request elsewhere. A host
without its region's name serves every region. Buckets are bounded by an LRU, regions of a target by
MAX_REGIONS, because each has a pool. The next redirect replaces a region that proves wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from fastpath.routing.lru import LRU
from fastpath.routing.snapshot import Route, Target
from fastpath.s3.refusals import is_region
from fastpath.signing.sigv4.sign import Signer, Unsigned

MAX_BUCKETS = 10000
MAX_REGIONS = 64  # of one target; AWS has fewer than 40

# These operations name or ask for a region; the configured endpoint answers them.
_AT_HOME = frozenset({"CreateBucket", "GetBucketLocation", "ListBuckets"})


class Destination(NamedTuple):
    """Where a request goes, and who signs it."""

    target: Target
    signer: Signer | Unsigned


class BucketRegions:
    """What one worker knows of the regions of buckets."""

    def __init__(self, buckets: int = MAX_BUCKETS) -> None:
        self.any_redirected = False  # while False, no request needs a look-up
        self._regions: LRU[tuple[str, bytes], bytes] = LRU(buckets)  # by route key and bucket
        self._routes: dict[str, dict[bytes, Route]] = {}  # by route key and region

    def __len__(self) -> int:
        return len(self._regions)

    def destination(
        self, home: Target, signer: Signer | Unsigned, bucket: bytes, operation: str
    ) -> Destination:
        """Where a request goes: to the region of its bucket if that is known, or else home."""
        region = home.region
        if home.profile.has_regions and bucket and operation not in _AT_HOME:
            region = self._regions.get((home.route.key, bucket)) or region
        if region == home.region:
            return Destination(home, signer.in_region(region))
        return self._in_region(home, signer, region)

    def must_ask(self, target: Target, bucket: bytes, operation: str) -> bool:
        """Whether the bucket's region is unknown, so that the target may redirect the request.

        Only an endpoint that names its region redirects to others.
        """
        if not target.profile.has_regions or not bucket or operation in _AT_HOME:
            return False
        name = (target.route.key, bucket)
        if name in self._regions:
            return False
        host, own = target.route.host, target.region.decode()
        if host_in_region(host, own, "another") == host:
            self._regions.put(name, target.region)
            return False
        return True

    def record_answer(self, home: Target, bucket: bytes, region: bytes) -> bool:
        """Record the region that the target named (or not); whether it is another one."""
        if not is_region(region) or region == home.region:
            self._regions.put((home.route.key, bucket), home.region)
            return False
        return self.record_redirect(home, bucket, region)

    def record_redirect(self, home: Target, bucket: bytes, region: bytes) -> bool:
        """Record that the bucket is in another region; False if there are too many.

        `home` is the target as the configuration has it.
        """
        key = home.route.key
        routes = self._routes.setdefault(key, {})
        if region not in routes:
            if len(routes) >= MAX_REGIONS:
                return False
            routes[region] = _route_to(home.route, _host_of(home, region))
        self.any_redirected = True
        self._regions.put((key, bucket), region)
        return True

    def keep(self, homes: Iterable[str]) -> set[str]:
        """Forget all but the routes in `homes`; returns the keys of the regional routes kept."""
        known = set(homes)
        self._routes = {key: there for key, there in self._routes.items() if key in known}
        return {route.key for there in self._routes.values() for route in there.values()}

    def _in_region(self, home: Target, signer: Signer | Unsigned, region: bytes) -> Destination:
        routes = self._routes.setdefault(home.route.key, {})
        there = _host_of(home, region)
        if region not in routes:
            routes[region] = _route_to(home.route, there)
        authority = home.authority.replace(home.route.host.encode(), there.encode(), 1)
        target = replace(home, authority=authority, route=routes[region])
        return Destination(target, signer.in_region(region))


def relays_redirects(operation: str) -> bool:
    """Whether the client gets the redirects of this operation."""
    return operation in _AT_HOME


def host_in_region(host: str, own: str, region: str) -> str:
    """The host of another region beside `host`, which serves the region `own`."""
    labels = host.split(".")
    for at, label in enumerate(labels[:-1]):  # a top level domain is no region
        if label == own:
            return ".".join((*labels[:at], region, *labels[at + 1 :]))
    if host == "s3.amazonaws.com":
        return f"s3.{region}.amazonaws.com"
    return host


def _host_of(home: Target, region: bytes) -> str:
    return host_in_region(home.route.host, home.region.decode(), region.decode())


def _route_to(route: Route, host: str) -> Route:
    if host == route.host:
        return route
    tls = route.tls
    if tls is not None and tls.server_name == route.host:
        tls = replace(tls, server_name=host)
    key = hashlib.sha256(f"{route.key} {host}".encode()).hexdigest()
    return replace(route, key=key, host=host, tls=tls)
