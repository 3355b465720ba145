"""Signs requests before they are needed, and anew before their signatures expire.

Rules: botocore's signer, so that what is measured is not this code; nothing is signed where a user
asks for the next request, because that would be the client's CPU time in every latency.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from loadtest.load.aim import Aim, Place

# S3 takes a signature for 15 minutes, by its own clock.
SIGNED_FOR_SECONDS = 10 * 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is not signed yet. `query` is as it is in the URL, parameters sorted."""

    name: str  # under which it is counted
    method: str
    bucket: str
    key: str = ""
    query: str = ""
    body: bytes = field(default=b"", repr=False)
    weight: int = 1
    expected_bytes: int | None = None  # of the answer

    @property
    def path(self) -> str:
        path = f"/{self.bucket}/{quote(self.key, safe='/-_.~')}"
        return f"{path}?{self.query}" if self.query else path


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it is sent."""

    call: Call
    url: str
    headers: dict[str, str]


def sign(call: Call, place: Place) -> Signed:
    """The request for that place, with a signature of now."""
    url = f"{place.endpoint}{call.path}"
    request = AWSRequest(call.method, url, data=call.body)
    request.headers["Host"] = urlsplit(url).netloc
    keys = Credentials(place.access_key_id, place.secret_access_key)
    S3SigV4Auth(keys, "s3", place.region).add_auth(request)
    return Signed(call, url, {name: str(value) for name, value in request.headers.items()})


class Book:
    """The signed requests of one scenario and one way."""

    def __init__(
        self, calls: Sequence[Call], aim: Aim, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._calls = calls
        self._aim = aim
        self._clock = clock
        self._weights = [call.weight for call in calls]
        self._requests: list[Signed] = []
        self._signed_at = -SIGNED_FOR_SECONDS
        self.renew_if_due()

    def renew_if_due(self) -> bool:
        """Sign all of them again if ten minutes are over: called beside the load, not in it."""
        now = self._clock()
        if self._requests and now - self._signed_at < SIGNED_FOR_SECONDS:
            return False
        self._requests = [sign(call, self._aim.of(call.bucket)) for call in self._calls]
        self._signed_at = now
        return True

    def take(self) -> Signed:
        """Any of them, by weight."""
        return random.choices(self._requests, self._weights)[0]
