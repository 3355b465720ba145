"""The recipes of docs/cookbook.md, each through a gateway before real stores and lakeFS's double.

Rules: a gateway has the configuration of the page, but for the addresses and keys of its targets,
and the time zone of requests that are sent at some time: one where it is that hour now. What landed
is read from the target directly. Keys of lists are such that SeaweedFS has them in byte order.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError

from gateway.demo.seaweed import Keys
from tests.compat.live import read_directly, reader, s3_client
from tests.compat.recipes import Name, Program, Recipe, Request, hour_of, read
from tests.compat.shared import Store
from tests.doubles.lakefs import LakeFS
from tests.process.harness import Gateway

COMMON, RECIPES = read()
CASES = [
    pytest.param(recipe, environment, id=f"{number} {recipe.title} {environment}".strip())
    for number, recipe in enumerate(RECIPES, 1)
    for environment in recipe.steps
]
ONCE = Config(retries={"total_max_attempts": 1})


class Targets:
    """The targets of the page: `lakefs` is the double, `s3` and `archive` are real servers."""

    def __init__(self, stores: dict[str, Store], lakefs: LakeFS) -> None:
        self._lakefs = lakefs
        self._stores = {"s3": stores["s3"], "archive": stores["lakefs"]}

    def make(self, landings: Iterable[tuple[str, Name]]) -> None:
        """Make the buckets, or the repositories with their branches, that objects land in."""
        for target, name in landings:
            if target != "lakefs":
                with contextlib.suppress(ClientError):  # it is there: the next line looks
                    reader(self._stores[target]).create_bucket(Bucket=name.bucket)
                reader(self._stores[target]).head_bucket(Bucket=name.bucket)
                continue
            branch = name.key.partition("/")[0]
            repositories = self._lakefs.store.repositories
            if name.bucket not in repositories:
                self._lakefs.add_repository(name.bucket)
            if branch not in repositories[name.bucket].branches:
                repositories[name.bucket].add_branch(branch, "main")

    def read(self, target: str, name: Name) -> bytes | None:
        if target != "lakefs":
            return read_directly(self._stores[target], name.bucket, name.key)
        branch, _, key = name.key.partition("/")
        blob = self._lakefs.store.repositories[name.bucket].branches[branch].entries.get(key)
        return blob.data if blob else None

    def hold(self, target: str, name: Name, body: bytes) -> None:
        reader(self._stores[target]).put_object(Bucket=name.bucket, Key=name.key, Body=body)

    def configuration(self, recipe: Recipe, hour: int | None) -> str:
        """The page's, with the addresses and keys of these targets."""
        documents = [one for one in yaml.safe_load_all(recipe.tried + COMMON) if one]
        ((key_id, secret),) = self._lakefs.keys.items()
        lakefs = {"endpoint": self._lakefs.endpoint}
        found = {"lakefs": {**lakefs, "access_key_id": key_id, "secret_access_key": secret}}
        for name, store in self._stores.items():
            found[name] = {
                "profile": "seaweedfs",
                "endpoint": store.endpoint,
                "access_key_id": store.keys.access_key_id,
                "secret_access_key": store.keys.secret_access_key,
                "profile_overrides": {"lists": ["encoding-type", "sorted", "start-after"]},
            }
        common = documents[-1]
        common |= {"lakefs": found["lakefs"], "s3": found["s3"]}
        common["targets"] = {"archive": found["archive"]}
        for rule in documents[0]["routing"].get("rules", ()):
            if hour is not None and "time_range" in rule.get("conditions", ()):
                rule["conditions"]["timezone"] = _zone_where_it_is(hour)
        return yaml.safe_dump_all(documents, sort_keys=False)


@pytest.mark.parametrize(("recipe", "environment"), CASES)
def test_a_recipe_does_what_the_page_says(
    recipe: Recipe, environment: str, stores: dict[str, Store], tmp_path: Path
) -> None:
    steps = recipe.steps[environment]
    requests = [step for step in steps if isinstance(step, Request)]
    with LakeFS() as lakefs:
        targets = Targets(stores, lakefs)
        targets.make(request.landed for request in requests if request.landed)
        config = yaml.safe_load(COMMON)["auth"]["identities"]
        keys = {one["name"]: Keys(one["access_key_id"], one["secret_access_key"]) for one in config}
        file = tmp_path / "gateway.yaml"
        hour = hour_of(environment)
        file.write_text(targets.configuration(recipe, hour))
        (tmp_path / "media_router.py").write_text(recipe.module)
        named = None if hour is not None else environment or None
        with Gateway.start(file, 1, environment=named) as running:
            for step in steps:
                if isinstance(step, Program):
                    _run(step, running.url, keys["application"])
                else:
                    _try_out(step, s3_client(running.url, keys[step.identity], ONCE), targets)


def _zone_where_it_is(hour: int) -> str:
    """The name of a zone where that hour has begun; POSIX counts what lies west of Greenwich."""
    west = (datetime.now(UTC).hour - hour) % 24
    return f"Etc/GMT{west:+d}" if west <= 12 else f"Etc/GMT-{24 - west}"


def _run(program: Program, url: str, keys: Keys) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(
        [sys.executable, "-c", program.source], env=environ, capture_output=True, timeout=50
    )
    assert done.returncode == 0, done.stderr.decode()


def _try_out(request: Request, client: Any, targets: Targets) -> None:
    body = request.line.encode().ljust(request.size or 0, b".")
    if request.operation == "HELD" and request.landed:
        return targets.hold(*request.landed, body)
    try:
        found = OPERATIONS[request.operation](client, request, body)
    except ClientError as error:
        metadata, said = error.response["ResponseMetadata"], error.response["Error"]["Code"]
        found = f"{metadata['HTTPStatusCode']} {said}"
    if request.landed is None:
        assert found == request.outcome, request.line
    elif request.operation == "PUT":
        assert found is None, request.line
        assert targets.read(*request.landed) == body, request.line
    else:
        assert targets.read(*request.landed), request.line


def _put(client: Any, request: Request, body: bytes) -> None:
    (name,) = request.names
    kind = {"ContentType": request.content_type} if request.content_type else {}
    client.put_object(Bucket=name.bucket, Key=name.key, Body=body, **kind)


def _get(client: Any, request: Request, body: bytes) -> str:
    (name,) = request.names
    answer = client.get_object(Bucket=name.bucket, Key=name.key)
    return f"{len(answer['Body'].read())} bytes"


def _list(client: Any, request: Request, body: bytes) -> str:
    (name,) = request.names
    listed = client.list_objects_v2(Bucket=name.bucket, Prefix=name.key)
    return " ".join(row["Key"] for row in listed.get("Contents", []))


def _delete(client: Any, request: Request, body: bytes) -> str:
    doomed = [{"Key": name.key} for name in request.names]
    done = client.delete_objects(Bucket=request.names[0].bucket, Delete={"Objects": doomed})
    return " ".join(row["Key"] for row in done.get("Deleted", []))


def _copy(client: Any, request: Request, body: bytes) -> None:
    source, name = request.names
    where = {"Bucket": source.bucket, "Key": source.key}
    client.copy_object(Bucket=name.bucket, Key=name.key, CopySource=where)


def _policy(client: Any, request: Request, body: bytes) -> None:
    client.get_bucket_policy(Bucket=request.names[0].bucket)


def _create(client: Any, request: Request, body: bytes) -> None:
    client.create_bucket(Bucket=request.names[0].bucket)


OPERATIONS: dict[str, Callable[[Any, Request, bytes], str | None]] = {
    "PUT": _put,
    "GET": _get,
    "LIST": _list,
    "DELETE": _delete,
    "COPY": _copy,
    "POLICY": _policy,
    "CREATE": _create,
}
