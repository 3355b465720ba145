"""Makes boto3's clients of the demo: of the gateway, and of each server past the gateway."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from gateway.demo.processes import Stage
from gateway.demo.seaweed import Keys, SeaweedServer


def client_of_gateway(stage: Stage) -> Any:  # boto3 is untyped
    return _client(stage.endpoint, stage.client)


def client_of_server(server: SeaweedServer) -> Any:
    return _client(server.endpoint, server.keys)


def _client(endpoint: str, keys: Keys) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
    )
