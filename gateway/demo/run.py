"""Runs the demo in order: servers, gateway, example, table, migration, comparison; then it serves
until interrupted.

Rules: progress goes to standard error, the tables and the lines to copy go to standard output;
every way to the end, a signal or a failure too, passes through `Stage.strike`.
"""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from gateway.demo import migration, object_table
from gateway.demo.clients import client_of_gateway
from gateway.demo.example import BUCKETS, run_example
from gateway.demo.interrupts import Interrupted, Interrupts
from gateway.demo.processes import GatewayFailed, Stage, plain_environment
from gateway.demo.seaweed import SeaweedError
from gateway.demo.voice import Voice

FAILURES = (
    SeaweedError,
    GatewayFailed,
    object_table.WrongPlace,
    migration.Differs,
    BotoCoreError,
    ClientError,
    OSError,
)


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
    voice.tell("no lakeFS is here: SeaweedFS plays it, without branches")
    with voice.progress.status("starting the gateway"):
        stage.start_gateway(port, interrupts.check)
    voice.tell(f"the gateway serves on [bold]{stage.endpoint}[/bold] with 2 workers")
    for bucket in BUCKETS:
        client_of_gateway(stage).create_bucket(Bucket=bucket)
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
    migration.migrate(stage, voice, interrupts)


def _serve_on(stage: Stage, voice: Voice, interrupts: Interrupts) -> None:
    voice.result.print(_lines_to_copy(stage), markup=False)
    voice.tell(f"serving, with a dashboard on [bold]{stage.dashboard}[/bold]")
    voice.tell("Ctrl-C ends the demo and removes everything")
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
aws s3 cp s3://lakefs-data-repo/main/data/file.txt s3://traditional-s3-bucket/copied.txt
aws s3 ls s3://traditional-s3-bucket --recursive

dashboard:     {stage.dashboard}
configuration: {stage.config_path}
access log:    {stage.access_log}
"""
