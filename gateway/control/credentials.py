"""Gets the credentials that requests to targets are signed with.

A static pair in the configuration, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY without a session
token, is used as it is. Everything else comes from botocore, in the order that it documents:
environment, profile (`aws_profile`, also process, SSO and role profiles), web identity, container,
IMDS. With `role_arn` these credentials are exchanged at STS.

Rules: only the control process imports botocore, and only when it is needed; each source is asked
in a thread of its own with a deadline, so that one which hangs does not delay a start; while a
source fails, its last credentials stay in use until they expire; no secret is in a message or a
`repr`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.config.credential_sources import CredentialSource
from gateway.config.schema import Config
from gateway.supervisor.back_off import CREDENTIALS, BackOff

# botocore refreshes in the last 15 minutes before expiry (its advisory window), so asking earlier
# would only return what is known.
REFRESH_AHEAD_SECONDS = 14 * 60.0
# Within that window a source is asked again after this time, at most.
REFRESH_AGAIN_SECONDS = 60.0
# IMDS answers in milliseconds or not at all; STS from another continent in two seconds.
DEADLINE_SECONDS = 20.0
# For the gateway's own calls to STS; botocore's 60 seconds are longer than the deadline.
_STS_TIMEOUT_SECONDS = 5
_SESSION_NAME = "s3gateway"


class CredentialsError(Exception):
    """A source gave no credentials; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Credentials in use; `expires` is in epoch seconds."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: float | None = None

    def as_dict(self) -> dict[str, object]:
        """The form of the snapshot."""
        return {
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
            "token": self.token,
        }


class Ask(Protocol):
    """Something that finds credentials, and may block. Raises CredentialsError."""

    def __call__(self) -> Resolved: ...


class Source:
    """One source of credentials, asked in a thread of its own; keeps its last good answer."""

    def __init__(self, ask: Ask, last: Resolved | None = None) -> None:
        self._ask = ask
        self._thread: threading.Thread | None = None
        self._answer: Resolved | CredentialsError | None = None
        self.last = last
        self.back_off = BackOff(CREDENTIALS)  # by epoch seconds
        self.error = ""

    def begin(self) -> None:
        """Starts asking, unless the last question has no answer yet."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="credentials", daemon=True)
            self._thread.start()

    def finish(self, until: float, now: float) -> Resolved | None:
        """Waits for the answer until `until` (monotonic); returns the last good one if it fails."""
        if self._thread is not None:
            self._thread.join(max(0.0, until - time.monotonic()))
        answer, self._answer = self._answer, None
        if isinstance(answer, Resolved):
            self.last, self.error = answer, ""
            self.back_off.succeed()
            return answer
        self.error = str(answer) if answer is not None else "no answer within the deadline"
        self.back_off.fail(now)
        if self.last is not None and self.last.expires is not None and self.last.expires <= now:
            self.last = None
        return self.last

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        except CredentialsError as error:
            self._answer = error
        except Exception as error:  # a bug in a credential plug-in must not look like a hang
            self._answer = CredentialsError(_describe(error))


class Keyring:
    """The credentials of every target that a configuration can reach.

    `previous` is the keyring of the configuration before: its answers stay in use for
    a source that does not answer during a reload.
    """

    def __init__(
        self,
        model: Config,
        *,
        previous: Keyring | None = None,
        ask: Callable[[CredentialSource], Ask] | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._sources = {name: target.source for name, target in model.targets.items()}
        self._deadline_seconds = deadline_seconds
        self._asked: dict[CredentialSource, Source] = {}
        self._new_ask = ask if ask is not None else Chain
        known = previous._asked if previous is not None else {}
        for source in self._sources.values():
            if source is not None and source.static is None and source not in self._asked:
                last = known[source].last if source in known else None
                self._asked[source] = Source(self._new_ask(source), last)
        self._next_refresh: float | None = None
        self.warnings: list[str] = []

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._sources)})"

    def resolve(self) -> dict[str, dict[str, object]]:
        """Credentials by target name; a target without any is left out and named in `warnings`.

        Blocks for at most the deadline, however many sources there are. Never raises for a source
        that fails: the other targets have work to do.
        """
        until = time.monotonic() + self._deadline_seconds
        for asked in self._asked.values():
            asked.begin()
        answers = {
            source: asked.finish(until, time.time()) for source, asked in self._asked.items()
        }
        self._plan(time.time())
        self.warnings = []
        found: dict[str, dict[str, object]] = {}
        for name, source in self._sources.items():
            resolved = self._pick(name, source, answers)
            if resolved is not None:
                found[name] = resolved.as_dict()
        return found

    def forget(self, name: str) -> bool:
        """Makes the next `resolve` ask a target's source as if it had never been asked.

        Its last answer stays in use if that fails. Static keys have no source: returns False.
        """
        source = self._sources.get(name)
        asked = self._asked.get(source) if source is not None else None
        if source is None or asked is None:
            return False
        self._asked[source] = Source(self._new_ask(source), asked.last)
        return True

    def next_refresh(self) -> float | None:
        """Epoch seconds by which `resolve` must be called again; None if nothing expires."""
        return self._next_refresh

    def _pick(
        self,
        name: str,
        source: CredentialSource | None,
        answers: dict[CredentialSource, Resolved | None],
    ) -> Resolved | None:
        if source is None:
            return None
        if source.static is not None:
            pair = source.static
            return Resolved(pair.access_key_id, pair.secret_access_key.get_secret_value())
        resolved, asked = answers[source], self._asked[source]
        if asked.error:
            state = "the last ones are still good" if resolved else "its requests are refused (503)"
            self.warnings.append(f"target {name}: no new credentials, {state}: {asked.error}")
        return resolved

    def _plan(self, now: float) -> None:
        times: list[float] = []
        for asked in self._asked.values():
            if asked.back_off.failures:
                times.append(asked.back_off.until)
            if asked.last is not None and asked.last.expires is not None:
                times.append(_refresh_time(asked.last.expires, now))
        self._next_refresh = min(times) if times else None


def _refresh_time(expires: float, now: float) -> float:
    """Returns a time well before expiry; inside the window, one that leaves several tries."""
    early = expires - REFRESH_AHEAD_SECONDS
    if early > now:
        return early
    return now + max(1.0, min(REFRESH_AGAIN_SECONDS, (expires - now) / 4))


class Chain:
    """botocore's chain for one source, with AssumeRole on top if a role is given.

    The botocore objects are kept, because they know how to refresh themselves.
    """

    def __init__(self, source: CredentialSource) -> None:
        self._source = source
        self._credentials: Any = None  # botocore has no types

    def __call__(self) -> Resolved:
        """Raises CredentialsError."""
        try:
            if self._credentials is None:
                self._credentials = self._find()
            frozen = self._credentials.get_frozen_credentials()
        except CredentialsError:
            raise
        except Exception as error:
            self._credentials = None
            raise CredentialsError(_describe(error)) from None
        return Resolved(
            frozen.access_key, frozen.secret_key, frozen.token, _expiry(self._credentials)
        )

    def _find(self) -> Any:
        import botocore.session  # takes 0.2 s, and a gateway with static keys does not need it

        source = self._source
        session = botocore.session.Session(profile=source.aws_profile)
        if not session.get_config_variable("region"):
            session.set_config_variable("region", source.region)
        if source.keys is not None:
            pair = source.keys
            session.set_credentials(pair.access_key_id, pair.secret_access_key.get_secret_value())
        credentials = session.get_credentials()
        if credentials is None:
            where = f"profile {source.aws_profile}" if source.aws_profile else "the default chain"
            raise CredentialsError(
                f"{where} has none (environment, profile, web identity, container, instance)"
            )
        return credentials if source.role_arn is None else self._assume(session, credentials)

    def _assume(self, session: Any, credentials: Any) -> Any:
        from botocore.config import Config as ClientConfig
        from botocore.credentials import AssumeRoleCredentialFetcher, RefreshableCredentials

        settings = ClientConfig(
            connect_timeout=_STS_TIMEOUT_SECONDS,
            read_timeout=_STS_TIMEOUT_SECONDS,
            retries={"total_max_attempts": 2, "mode": "standard"},
        )

        def client(service: str, **arguments: Any) -> Any:
            region = self._source.region
            return session.create_client(service, region_name=region, config=settings, **arguments)

        extra = {"RoleSessionName": _SESSION_NAME}
        if self._source.external_id:
            extra["ExternalId"] = self._source.external_id
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=client,
            source_credentials=credentials,
            role_arn=self._source.role_arn,
            extra_args=extra,
        )
        return RefreshableCredentials.create_from_metadata(
            metadata=fetcher.fetch_credentials(),
            refresh_using=fetcher.fetch_credentials,
            method="assume-role",
        )


def _expiry(credentials: Any) -> float | None:
    # botocore offers no public way to ask; all its refreshable kinds have this since 2015.
    moment = getattr(credentials, "_expiry_time", None)
    return moment.timestamp() if moment is not None else None


def _describe(error: Exception) -> str:
    """One line of an exception's text, without the values a credential process may print."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
