"""An operator lets one identity see where its requests go, watches a bucket move, and stops."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient, ClientError, Config

from tests.doubles.target import Target
from tests.process.harness import Gateway

Shown = tuple[str | None, str | None]


def configuration(targets: Mapping[str, Target], moved: bool, shows: bool) -> dict[str, object]:
    keys = {"access_key_id": "AKIDSTORE", "secret_access_key": "of-store"}
    identities: list[dict[str, Any]] = [
        {"name": name, "access_key_id": f"AKID{name.upper()}", "secret_access_key": f"of-{name}"}
        for name in ("operator", "tenant")
    ]
    identities[0]["show_decisions"] = shows
    return {
        "auth": {"identities": identities},
        "targets": {
            name: {"profile": "generic", "endpoint": target.url, **keys}
            for name, target in targets.items()
        },
        "routing": {
            "default_target": "before",
            "rules": [{"pattern": "moving", "target": "after"}] if moved else [],
        },
    }


def client_of(gateway: Gateway, name: str) -> BaseClient:
    return boto3.client(
        "s3",
        endpoint_url=gateway.url,
        region_name="us-east-1",
        aws_access_key_id=f"AKID{name.upper()}",
        aws_secret_access_key=f"of-{name}",
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )


def shown(answer: dict[str, Any]) -> Shown:
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    return headers.get("x-s3gateway-target"), headers.get("x-s3gateway-rule")


def test_an_operator_watches_a_bucket_move() -> None:
    with Target("before") as before, Target("after") as after:
        targets = {"before": before, "after": after}
        before.objects["/moving/key"] = after.objects["/moving/key"] = b"data"
        with Gateway.start(
            configuration(targets, False, True), access_log="-", log_format="json"
        ) as gateway:
            operator, tenant = client_of(gateway, "operator"), client_of(gateway, "tenant")
            assert shown(operator.head_object(Bucket="moving", Key="key")) == ("before", "default")
            assert gateway.reload(configuration(targets, True, True)) == 2
            got = operator.get_object(Bucket="moving", Key="key")
            assert (got["Body"].read(), *shown(got)) == (b"data", "after", "1")
            with pytest.raises(ClientError) as missing:
                operator.get_object(Bucket="moving", Key="none")
            assert shown(missing.value.response) == ("after", "1")
            request_id = got["ResponseMetadata"]["RequestId"]
            line = json.loads(gateway.stdout.wait_for(request_id, 10.0).string)
            assert (line["target"], str(line["rule"])) == shown(got)
            assert shown(tenant.get_object(Bucket="moving", Key="key")) == (None, None)
            assert gateway.reload(configuration(targets, True, False)) == 3
            assert shown(operator.get_object(Bucket="moving", Key="key")) == (None, None)
