"""The classes of users, one for each scenario: FastHttpUser with signed requests, boto3's clients.

Rules: a user takes requests that were signed beforehand and does nothing else; what a user makes of
several requests by hand is counted as one, under a name of its own, and its parts under names that
begin with `PART`, which nobody counts; a body that has not the bytes it should have is a failure.
"""

from __future__ import annotations

import contextlib
import io
import random
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import boto3
import gevent
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from locust import FastHttpUser, User, task

from loadtest.load import calls
from loadtest.load.aim import PREFIX, Aim, Place
from loadtest.load.filling import error_code
from loadtest.load.scenarios import TUNED
from loadtest.load.signing import Book, Signed, sign

PART = "part of "
PARTS_BYTES = 12 * calls.MIB
RENEW_SECONDS = 5.0
CONNECTIONS = 32

# What docs/load-testing.md says about each.
TUNED_CONFIG: dict[str, Any] = {
    "max_pool_connections": CONNECTIONS,
    "tcp_keepalive": True,
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
    "retries": {"mode": "standard", "max_attempts": 3},
}


class Current:
    """The way that users go now, and what was made for it."""

    aim: ClassVar[Aim]
    books: ClassVar[dict[tuple[str, str], Book]] = {}
    prepared: ClassVar[str | None] = None  # the host that has the objects

    @classmethod
    def use(cls, aim: Aim) -> None:
        cls.aim = aim

    @classmethod
    def book(cls, scenario: str) -> Book:
        """The signed requests of a scenario: made at the first user's start."""
        key = (scenario, cls.aim.name)
        if key not in cls.books:
            cls.books[key] = Book(calls.of(scenario, cls.aim), cls.aim)
        return cls.books[key]

    @classmethod
    def keep_signed(cls) -> None:
        """Signs again what is due, for ever: a greenlet of its own."""
        while True:
            gevent.sleep(RENEW_SECONDS)
            for book in list(cls.books.values()):
                book.renew_if_due()


class SignedUser(FastHttpUser):
    """Sends what a book has."""

    abstract = True
    scenario = ""
    host = "http://unused"  # requests have whole URLs; locust wants one

    def on_start(self) -> None:
        self.book = Current.book(self.scenario)

    def send(self, signed: Signed, name: str, allowed: int = 200) -> int:
        """Send it, counted under `name`; its status. `allowed` is a status that is no failure."""
        call = signed.call
        with self.client.request(
            call.method,
            signed.url,
            name=name,
            headers=signed.headers,
            data=call.body or None,
            catch_response=True,
        ) as answer:
            status = int(answer.status_code or 0)
            if status not in (200, allowed):
                answer.failure(f"{status} {error_code(answer.content or b'')}")
            elif status == 200 and call.expected_bytes is not None:
                got = len(answer.content or b"")
                if got != call.expected_bytes:
                    answer.failure(f"{got} bytes instead of {call.expected_bytes}")
            else:
                answer.success()  # whatever locust thinks of a 404
            return status

    @task
    def one(self) -> None:
        self.ask(self.book.take())

    def ask(self, signed: Signed) -> None:
        """What is done with a request: not a task, as locust would add a subclass's to this one."""
        self.send(signed, signed.call.name)


class SmallObjects(SignedUser):
    """PUT, GET and HEAD of 1 to 64 KiB."""

    scenario = "small"


class Streaming(SignedUser):
    """GET and PUT of 16 MiB."""

    scenario = "streaming"
    network_timeout = 120.0


class Listing(SignedUser):
    """Pages, prefixes, delimiters."""

    scenario = "listing"


class Hybrid(SignedUser):
    """Buckets of two stores, by rules."""

    scenario = "hybrid"


class ReloadUnderLoad(SignedUser):
    """Small objects while the gateway reloads: somebody else makes it do so."""

    scenario = "reload"


class ChainReads(SignedUser):
    """GETs of which half are at the fallback; without the gateway, the client looks twice."""

    scenario = "chain"

    def on_start(self) -> None:
        super().on_start()
        self.fallback = Current.aim.fallback

    def ask(self, signed: Signed) -> None:
        if self.fallback is None:
            self.send(signed, signed.call.name)
            return
        with measured(self, "GET", signed.call.name):
            if self.send(signed, f"{PART}{signed.call.name}", allowed=404) == 404:
                self.send(self._second(signed, self.fallback), f"{PART}{signed.call.name}")

    def _second(self, signed: Signed, place: Place) -> Signed:
        """The same object at the fallback; there are few, and each is signed once."""
        found: dict[str, Signed] = self.__dict__.setdefault("_signed", {})
        if signed.call.key not in found:
            found[signed.call.key] = sign(signed.call, place)
        return found[signed.call.key]


# --- boto3 ---


class BotoUser(User):
    """A client of boto3's own, of which users of one way share one."""

    abstract = True
    clients: ClassVar[dict[tuple[str, str], Any]] = {}

    def client(self, bucket: str) -> Any:
        """The client for that bucket's place."""
        aim = Current.aim
        place = aim.of(bucket)
        key = (aim.name, place.endpoint)
        if key not in self.clients:
            tuned = TUNED_CONFIG if aim.name == TUNED else {}
            self.clients[key] = boto3.client(
                "s3",
                endpoint_url=place.endpoint,
                region_name=place.region,
                aws_access_key_id=place.access_key_id,
                aws_secret_access_key=place.secret_access_key,
                config=Config(s3={"addressing_style": "path"}, **tuned),
            )
        return self.clients[key]


class Multipart(BotoUser):
    """Uploads of 12 MiB in parts of 5 MiB."""

    transfer = TransferConfig(
        multipart_threshold=calls.MIB, multipart_chunksize=5 * calls.MIB, use_threads=False
    )

    def on_start(self) -> None:
        self.number = random.randrange(8)  # a bounded set of keys

    @task
    def upload(self) -> None:
        bucket = Current.aim.buckets.data
        key = f"{PREFIX}parts/{self.number}"
        with measured(self, "PUT", "upload of 12 MiB"):
            self.client(bucket).upload_fileobj(
                io.BytesIO(calls.body(PARTS_BYTES)), bucket, key, Config=self.transfer
            )


class Migration(BotoUser):
    """The loop that moves a bucket: list it, copy each object to the other store."""

    @task
    def move(self) -> None:
        old, new = Current.aim.buckets.old, Current.aim.buckets.new
        listed: list[dict[str, Any]] = []
        with measured(self, "GET", "list"):
            answer = self.client(old).list_objects_v2(Bucket=old, Prefix=f"{PREFIX}old/")
            listed = answer["Contents"]
        for entry in listed:
            with measured(self, "COPY", "copy to the other store"):
                self._copy(old, new, entry["Key"])

    def _copy(self, old: str, new: str, key: str) -> None:
        if Current.aim.fallback is None:  # the gateway: one request
            source = {"Bucket": old, "Key": key}
            self.client(new).copy_object(Bucket=new, Key=f"main/{key}", CopySource=source)
            return
        body = self.client(old).get_object(Bucket=old, Key=key)["Body"].read()
        self.client(new).put_object(Bucket=new, Key=f"main/{key}", Body=body)


class TunedConfig(BotoUser):
    """PUT and GET of 16 KiB with one client, which more users share than it has connections."""

    def on_start(self) -> None:
        self.number = random.randrange(calls.SMALL)

    @task(3)
    def get(self) -> None:
        bucket = Current.aim.buckets.data
        with measured(self, "GET", "boto3 GET 1-64 KiB"):
            key = f"{PREFIX}small/{self.number:04}"
            self.client(bucket).get_object(Bucket=bucket, Key=key)["Body"].read()

    @task(1)
    def put(self) -> None:
        bucket = Current.aim.buckets.data
        with measured(self, "PUT", "boto3 PUT 16 KiB"):
            key = f"{PREFIX}put/{self.number:04}"
            self.client(bucket).put_object(Bucket=bucket, Key=key, Body=calls.body(16 * calls.KIB))


@contextlib.contextmanager
def measured(user: Any, method: str, name: str) -> Iterator[None]:
    """Counts what is done in the block as one request; what it raises is its failure."""
    began = time.perf_counter()
    fault: Exception | None = None
    try:
        yield
    except Exception as raised:  # whatever it is, the run goes on and tells of it
        fault = raised
    user.environment.events.request.fire(
        request_type=method,
        name=name,
        response_time=(time.perf_counter() - began) * 1000,
        response_length=0,
        exception=fault,
        context={},
    )


CLASSES: dict[str, type[User]] = {
    "small": SmallObjects,
    "streaming": Streaming,
    "multipart": Multipart,
    "listing": Listing,
    "hybrid": Hybrid,
    "chain": ChainReads,
    "migration": Migration,
    "reload": ReloadUnderLoad,
    "tuned": TunedConfig,
}
