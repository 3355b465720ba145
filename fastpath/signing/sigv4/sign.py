"""Signing what goes upstream, with the credentials of a target.

Rules: exactly `host`, `x-amz-date`, `x-amz-content-sha256`, the session token and the headers given
are signed, and no others, because a hop may change them; secrets never show in `repr`.

Not here: where credentials come from (the control process), which headers go upstream (`forward`).
"""

from __future__ import annotations

from collections.abc import Sequence

from fastpath.signing.sigv4.canonical import (
    canonical_path,
    canonical_raw_query,
    canonical_request,
    signed_names,
    string_to_sign,
)
from fastpath.signing.sigv4.chain import Chain
from fastpath.signing.sigv4.dates import basic
from fastpath.signing.sigv4.keys import SigningKey, remember, signing_key

_LEAST = b"host;x-amz-content-sha256;x-amz-date"  # what every request signs


class Credentials:
    """What the gateway signs with on one target."""

    __slots__ = ("access_key_id", "secret", "token")

    def __init__(self, access_key_id: bytes, secret: bytes, token: bytes | None = None) -> None:
        self.access_key_id = access_key_id
        self.secret = secret
        self.token = token

    def __repr__(self) -> str:
        kind = "session" if self.token is not None else "static"
        return f"<Credentials {kind}>"


class Signer:
    """Signs requests for one target. Built once per snapshot and credentials."""

    __slots__ = (
        "_credential",
        "_credentials",
        "_date",
        "_key",
        "_regions",
        "_scope",
        "_token",
        "region",
    )

    def __init__(self, credentials: Credentials, region: bytes) -> None:
        self._credentials = credentials
        self.region = region
        self._regions: dict[bytes, Signer] = {region: self}
        self._token = credentials.token
        self._date = b""  # the day that the next three are good for
        self._key = SigningKey(b"")
        self._scope = b""
        self._credential = b""

    def __repr__(self) -> str:
        return f"<Signer {self.region.decode(errors='replace')}>"

    @property
    def temporary(self) -> bool:
        """Whether the credentials are of a session, which ends."""
        return self._token is not None

    @property
    def access_key_id(self) -> bytes:
        """Whose key it is."""
        return self._credentials.access_key_id

    def equals(self, other: Signer) -> bool:
        """Whether the other signs with the same credentials."""
        mine, others = self._credentials, other._credentials
        return (mine.access_key_id, mine.secret, mine.token) == (
            others.access_key_id,
            others.secret,
            others.token,
        )

    def in_region(self, region: bytes) -> Signer:
        """The same credentials for another region; kept, so the caller bounds the regions."""
        signer = self._regions.get(region)
        if signer is None:
            signer = self._regions[region] = Signer(self._credentials, region)
            signer._regions = self._regions
        return signer

    def sign(  # noqa: PLR0913 (one signature has these parts; no object per request)
        self,
        method: bytes,
        raw_path: bytes,
        raw_query: bytes,
        host: bytes,
        amz_headers: Sequence[tuple[bytes, bytes]],
        payload: bytes,
        now: float,
    ) -> list[bytes]:
        """The header lines to add, each with its CRLF: authorization, x-amz-date, ...

        `raw_path` and `raw_query` are what will be on the wire. `amz_headers` are the x-amz-*
        headers (and content-md5) that will be sent besides: lower-case names, values without outer
        white space, in wire order, and none of those that this returns. `payload` goes out as
        x-amz-content-sha256.
        """
        timestamp = basic(int(now))
        if timestamp[:8] != self._date:
            self._turn_to(timestamp[:8])
        fields = {b"host": host, b"x-amz-content-sha256": payload, b"x-amz-date": timestamp}
        signed = _LEAST
        if amz_headers or self._token is not None:
            if self._token is not None:
                fields[b"x-amz-security-token"] = self._token
            for name, value in amz_headers:
                fields[name] = fields[name] + b"," + value if name in fields else value
            signed = b";".join(sorted(fields))
        canonical = canonical_request(
            method,
            canonical_path(raw_path),
            canonical_raw_query(raw_query) if raw_query else b"",
            signed_names(signed).lines(fields),
            signed,
            payload,
        )
        signature = self._key.sign(string_to_sign(timestamp, self._scope, canonical))
        lines = [
            b"authorization: AWS4-HMAC-SHA256 Credential=%b,SignedHeaders=%b,Signature=%b\r\n"
            % (self._credential, signed, signature),
            b"x-amz-date: %b\r\n" % timestamp,
            b"x-amz-content-sha256: %b\r\n" % payload,
        ]
        if self._token is not None:
            lines.append(b"x-amz-security-token: %b\r\n" % self._token)
        return lines

    def chain(self, lines: Sequence[bytes]) -> Chain:
        """What the chunks of the body are chained to, given what `sign` just returned."""
        signature, timestamp = lines[0][-66:-2], lines[1][-18:-2]
        return Chain(self._key, timestamp, self._scope, signature)

    def _turn_to(self, date: bytes) -> None:
        """A new day: derive its key."""
        secret = self._credentials.secret
        self._key = signing_key(secret, date, self.region)
        remember(secret, date, self.region, self._key)
        self._scope = b"%b/%b/s3/aws4_request" % (date, self.region)
        self._credential = self._credentials.access_key_id + b"/" + self._scope
        self._date = date


class Unsigned:
    """What "signs" the requests of nobody: they go up without any signature."""

    __slots__ = ("region",)

    def __init__(self, region: bytes) -> None:
        self.region = region  # where the target is

    def in_region(self, region: bytes) -> Unsigned:
        """The same for another region."""
        return Unsigned(region)

    def sign(self, *_: object) -> list[bytes]:
        """No lines."""
        return []

    def chain(self, _: Sequence[bytes]) -> Chain:
        """What no chunk is ever signed with (`profiles.without_signature`)."""
        return Chain(SigningKey(b""), b"", b"", b"")
