"""The rights of an identity: which operations on which buckets, on which targets.

Rules: an empty list of grants allows nothing, no list allows everything; an operation without a
bucket needs a grant for every bucket (`*`), because its response is about every bucket.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fastpath.ipc.meter import UNVERIFIED
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.sign import Signer


@dataclass(frozen=True, slots=True)
class Grant:
    """One entry of an identity's `allow`."""

    every_bucket: bool
    buckets: tuple[re.Pattern[bytes], ...]
    operations: frozenset[str]

    def covers(self, operation: str, bucket: bytes) -> bool:
        """Whether this grant allows the operation on the bucket (empty: on all of them)."""
        if operation not in self.operations:
            return False
        if self.every_bucket:
            return True
        return bool(bucket) and any(glob.match(bucket) for glob in self.buckets)


class Caller(Identity):
    """An identity with its rights.

    key_id: of the key that it signed with, for the log; empty if that was not verified.
    signers: credentials of its own, by target.
    sees_decisions: its answers say which target and rule they come from.
    """

    __slots__ = ("grants", "key_id", "sees_decisions", "signers", "targets")

    def __init__(  # noqa: PLR0913 (an identity has these parts)
        self,
        name: str,
        access_key_id: bytes,
        secret: bytes,
        *,
        targets: frozenset[str] | None = None,
        grants: tuple[Grant, ...] | None = None,
        signers: Mapping[str, Signer | None] | None = None,
        sees_decisions: bool = False,
    ) -> None:
        super().__init__(name, access_key_id, secret)
        self.key_id = access_key_id.decode("utf-8", "replace")
        self.targets = targets
        self.grants = grants
        self.signers: Mapping[str, Signer | None] = signers or {}
        self.sees_decisions = sees_decisions

    def may(self, operation: str, bucket: bytes) -> bool:
        """Whether the identity is allowed to do this."""
        if self.grants is None:
            return True
        return any(grant.covers(operation, bucket) for grant in self.grants)

    def reaches(self, target: str) -> bool:
        """Whether the identity's requests may be signed for this target."""
        return self.targets is None or target in self.targets


def unverified(access_key_id: bytes) -> Caller:
    """Return a caller without rights for an unverified key, which the log shows as `?KEY`."""
    return Caller(f"{UNVERIFIED}{access_key_id.decode('utf-8', 'replace')}", b"", b"", grants=())


# The caller under `auth.mode: open`; and of a request before it is known who sent it.
OPEN_CALLER = Caller("", b"", b"")

# The same under `auth.mode: open`, with `auth.show_decisions`.
OPEN_CALLER_WHO_SEES = Caller("", b"", b"", sees_decisions=True)

# The caller of unsigned requests under `auth.anonymous: forward`; the target decides about them.
ANONYMOUS_CALLER = Caller("", b"", b"")
