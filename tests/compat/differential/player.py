"""Owns playing the script against one endpoint and recording every answer as it came.

Rules: one attempt per call, path-style addresses, nothing parsed but what later calls need; an
answer is recorded before botocore looks at it. Every play has a bucket of its own, whose name has
the same length in every play.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import validate_bucket_name

from gateway.demo.seaweed import Keys
from tests.compat.differential import normal
from tests.compat.differential.script import Call

SHOWN_BODY = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, normalised."""

    call: str
    status: int
    headers: list[str]
    body: str

    def lines(self) -> list[str]:
        return [str(self.status), *self.headers, "", *self.body.splitlines()]


class Player:
    """One play of a script at one endpoint."""

    def __init__(self, endpoint: str, keys: Keys, bucket: str, store: str) -> None:
        """`store` is the address of the store itself, which it may put into its answers."""
        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            region_name="us-east-1",
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                parameter_validation=False,
            ),
        )
        # A name that boto3 would refuse is for the store to refuse.
        self._client.meta.events.unregister("before-parameter-build.s3", validate_bucket_name)
        self._client.meta.events.register("before-parse.s3.*", self._note)
        self._bucket = bucket
        self._taken: dict[str, Any] = {}
        hosts = {address.removeprefix("http://") for address in (endpoint, store)}
        self._names = {bucket: "<bucket>", **dict.fromkeys(hosts, "<host>")}
        self._seen: tuple[int, list[tuple[str, str]], bytes] | None = None

    def play(self, script: list[Call]) -> list[Answer]:
        with contextlib.closing(self._client):
            return [
                self._play(f"{number} {call.method} {dict(call.parameters)!r:.120}", call)
                for number, call in enumerate(script, 1)
            ]

    def _note(self, response_dict: Mapping[str, Any], **_: object) -> None:
        body = response_dict["body"]  # bytes; for what is streamed, something to read from
        lines = list(response_dict["headers"].items())
        self._seen = (response_dict["status_code"], lines, body if type(body) is bytes else b"")

    def _play(self, name: str, call: Call) -> Answer:
        self._seen = None
        parameters = self._filled(dict(call.parameters))
        operation = self._client.meta.method_to_api_mapping[call.method]
        shape = self._client.meta.service_model.operation_model(operation).input_shape
        if shape is not None and "Bucket" in shape.members:
            parameters.setdefault("Bucket", self._bucket)
        try:
            parsed = getattr(self._client, call.method)(**parameters)
        except ClientError as error:
            parsed = error.response
        except BotoCoreError:
            if self._seen is None:
                raise
            parsed = {}  # an answer that botocore cannot read
        streamed = _read(parsed)
        for label, path in call.learn.items():
            self._learn(label, path, parsed)
        assert self._seen is not None
        status, lines, body = self._seen
        body = body or streamed
        headers, text = normal.headers(lines, self._names), self._text(body)
        if text != body.decode("latin-1"):
            headers = normal.length(headers, len(body))
        return Answer(name, status, headers, text)

    def _text(self, body: bytes) -> str:
        if len(body) > SHOWN_BODY and not body.startswith(b"<"):
            return f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}"
        return normal.text(body.decode("latin-1"), self._names)

    def _learn(self, label: str, path: str, parsed: Any) -> None:
        found = parsed
        for step in path.split("."):
            found = found[int(step)] if isinstance(found, list) else found.get(step)
            if found is None:
                return
        self._taken[label] = found
        if path not in ("ETag",):
            self._names[found] = f"<{label}>"

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._filled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        if isinstance(value, str) and value.startswith("$"):
            return self._taken.get(value[1:], f"nothing-learnt-{value[1:]}")
        return value.replace("BUCKET", self._bucket) if isinstance(value, str) else value


def _read(parsed: Mapping[str, Any]) -> bytes:
    """The body that botocore left to its caller; an event stream is only closed."""
    if "Payload" in parsed:
        parsed["Payload"].close()
    if not hasattr(parsed.get("Body"), "read"):
        return b""
    with contextlib.closing(parsed["Body"]) as reader:
        return bytes(reader.read())
