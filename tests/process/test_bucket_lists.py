"""ListBuckets before several targets, one of which is down: what clients and operators are told."""

from __future__ import annotations

import re
from typing import Any

from tests.doubles.target import Fault, Request, Target
from tests.process.harness import Gateway, open_config


def listing(*names: str) -> Any:
    """What a target answers to a ListBuckets."""
    rows = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in names)
    document = f"<ListAllMyBucketsResult><Buckets>{rows}</Buckets></ListAllMyBucketsResult>"

    def answered(request: Request) -> tuple[str, bytes] | None:
        is_list = request.path.partition("?")[0] == "/"
        return ("200 OK", document.encode()) if is_list else None

    return answered


def configuration(near: Target, far: Target, failure: str | None = None) -> dict[str, Any]:
    config: dict[str, Any] = open_config(near.url)
    config["targets"]["far"] = {**config["targets"]["main"], "endpoint": far.url}
    config["routing"]["rules"] = [{"pattern": "far-*", "target": "far"}]
    if failure is not None:
        config["routing"]["list_buckets_failure"] = failure
    return config


def found(gateway: Gateway) -> tuple[int, list[str]]:
    answer = gateway.request("GET", "/")
    return answer.status, re.findall("<(?:Name|Code)>(.*?)<", answer.body.decode())


def test_a_target_is_down_and_comes_back() -> None:
    with Target("near") as near, Target("far") as far:
        near.refusal, far.refusal = listing("a", "far-wrong"), listing("far-1", "wrong")
        far.fault = Fault.REFUSE
        with Gateway.start(configuration(near, far), 1, log_format="json") as gateway:
            assert found(gateway) == (200, ["a"])
            told = "the target does not list its buckets: .*; they are missing from the list"
            assert '"target":"far"' in gateway.wait_for_log(told).string

            gateway.reload(configuration(near, far, "refuse"))
            mark = len(gateway.log)
            assert found(gateway) == (503, ["ServiceUnavailable"])
            line = gateway.wait_for_log("; the list is refused", after=mark).string
            assert '"target":"far"' in line
            far.fault = Fault.NONE
            assert found(gateway) == (200, ["a", "far-1"])
