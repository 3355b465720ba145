"""The catalogue of scenarios: what each does, how many users it has, and what it must keep.

Rules: the first way is what the second is compared with. Ratios are generous: they are to find a
gateway that has become several times slower, on two cores that others use too; `make bench` is
what measures the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass

DIRECT, GATEWAY = "direct", "gateway"
DEFAULT, TUNED = "default", "tuned"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the second way must keep, beside the first."""

    errors: float = 0.001  # of all requests
    throughput: float = 0.25  # of the first way's, at least
    p99: float = 5.0  # times the first way's, at most
    # What p99 may be more, whatever the ratio: a turn of the scheduler among processes that share
    # two cores is tens of milliseconds, and a p99 without the gateway may be two.
    slack_ms: float = 60.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load; `fast` ones have FastHttpUser and signed requests, others boto3."""

    name: str
    says: str
    users: int
    fast: bool = True
    ways: tuple[str, str] = (DIRECT, GATEWAY)
    limits: Limits = Limits()
    reloads: bool = False  # the second way has the gateway reload all the while


ALL = (
    Scenario("small", "PUT, GET and HEAD of 1 to 64 KiB", 8),
    Scenario("streaming", "GET and PUT of 16 MiB", 4),
    Scenario("multipart", "boto3 uploads 12 MiB in parts", 2, fast=False),
    Scenario("listing", "ListObjectsV2: pages, prefixes, delimiters", 8),
    Scenario("hybrid", "PUT and GET in buckets of two stores, by rules", 8),
    # Two requests by hand where the gateway makes two of its own.
    Scenario("chain", "GET of which half are at the fallback alone", 8),
    # The loop by hand moves each body through the client; through the gateway it is one request.
    Scenario("migration", "list a bucket, copy each object to the other store", 2, fast=False),
    # Workers take a snapshot in between: that shows in the slowest percent.
    Scenario("reload", "small, with the gateway reloading twice a second", 8, reloads=True),
    Scenario(
        "tuned",
        "boto3 through the gateway, tuned Config against default",
        16,
        fast=False,
        ways=(DEFAULT, TUNED),
        limits=Limits(throughput=0.6, p99=3.0),
    ),
)
NAMES = tuple(one.name for one in ALL)
QUICK = ("small", "hybrid", "multipart", "reload")


def named(name: str) -> Scenario:
    """The scenario of that name. Raises KeyError."""
    return {one.name: one for one in ALL}[name]
