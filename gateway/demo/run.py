"""Runs the demo in order: servers, gateway, buckets, example, table; then it serves until
interrupted.

Rules: progress goes to standard error, the table and the lines to copy go to standard output; every
way to the end, a signal or a failure too, passes through `Stage.strike`.
"""

from __future__ import annotations

import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from gateway.demo import object_table
from gateway.demo.example import BUCKETS, run_example
from gateway.demo.interrupts import Interrupted, Interrupts
from gateway.demo.processes import GatewayFailed, Stage, plain_environment
from gateway.demo.seaweed import SeaweedError

FAILURES = (
    SeaweedError,
    GatewayFailed,
    object_table.WrongPlace,
    BotoCoreError,
    ClientError,
    OSError,
)
# Wide enough for the table; a terminal narrower than this wraps by itself.
PLAIN_WIDTH = 120


class Voice:
    """Prints progress to standard error, results to standard output."""

    def __init__(self) -> None:
        self.progress = Console(stderr=True, highlight=False)
        self.result = Console(highlight=False, soft_wrap=True)
        if not self.result.is_terminal:
            self.result.width = PLAIN_WIDTH
        self._began = time.monotonic()

    def tell(self, text: str) -> None:
        seconds = time.monotonic() - self._began
        self.progress.print(f"[dim]{seconds:5.1f} s[/dim]  {text}")


def tell(once: bool, port: int) -> int:
    """Runs the whole demo; returns the exit status: see `gateway.demo.run`."""
    voice = Voice()
    served = False
    with plain_environment(), Interrupts() as interrupts:
        stage = Stage()
        try:
            _play(stage, voice, interrupts, port)
            if not once:
                served = True
                _serve_on(stage, voice, interrupts)
        except Interrupted as interrupted:
            voice.tell(f"{interrupted}: cleaning up")
            return 0 if served else 128 + interrupted.number
        except FAILURES as failure:
            voice.progress.print(f"the demo failed: {failure}", style="red", markup=False)
            return 1
        finally:
            interrupts.ignore()
            stage.strike()
            voice.tell("stopped; no process and no file is left")
    return 0


def _play(stage: Stage, voice: Voice, interrupts: Interrupts, port: int) -> None:
    voice.tell("starting two SeaweedFS servers that check every signature")
    with voice.progress.status("waiting for them (2 to 8 seconds)"):
        stage.start_servers(interrupts.check)
    for name, server in stage.servers.items():
        voice.tell(f"target [bold]{name}[/bold] is {server.endpoint}")
    with voice.progress.status("starting the gateway"):
        stage.start_gateway(port, interrupts.check)
    voice.tell(f"the gateway serves on [bold]{stage.endpoint}[/bold] with 2 workers")
    _create_buckets(stage)
    voice.tell(f"created {' and '.join(BUCKETS)} through the gateway")
    interrupts.check()
    keys = stage.client
    run_example(stage.endpoint, keys.access_key_id, keys.secret_access_key)
    voice.tell("ran the boto3 example: one endpoint, two stores")
    interrupts.check()
    landed = [
        one
        for name, server in stage.servers.items()
        for one in object_table.read_directly(name, server)
    ]
    voice.result.print(object_table.table(landed))
    object_table.check(landed)


def _create_buckets(stage: Stage) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=stage.endpoint,
        aws_access_key_id=stage.client.access_key_id,
        aws_secret_access_key=stage.client.secret_access_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
    )
    for bucket in BUCKETS:
        client.create_bucket(Bucket=bucket)


def _serve_on(stage: Stage, voice: Voice, interrupts: Interrupts) -> None:
    voice.result.print(_lines_to_copy(stage), markup=False)
    voice.tell("serving; Ctrl-C ends the demo and removes everything")
    while stage.gateway_runs():
        interrupts.pause(0.5)
    raise GatewayFailed(f"the gateway ended:\n{stage.said()}")


def _lines_to_copy(stage: Stage) -> str:
    keys = stage.client
    return f"""
boto3:
import boto3
s3 = boto3.client("s3", endpoint_url="{stage.endpoint}", region_name="us-east-1",
    aws_access_key_id="{keys.access_key_id}", aws_secret_access_key="{keys.secret_access_key}")
print(s3.get_object(Bucket="lakefs-data-repo", Key="main/data/file.txt")["Body"].read())

aws-cli:
export AWS_ACCESS_KEY_ID={keys.access_key_id}
export AWS_SECRET_ACCESS_KEY={keys.secret_access_key}
export AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL_S3={stage.endpoint}
aws s3 cp s3://lakefs-data-repo/main/data/file.txt -
aws s3 ls s3://traditional-s3-bucket --recursive

configuration: {stage.config_path}
access log:    {stage.access_log}
"""
