"""Signs requests to a target with its credentials.

Rules: exactly `host`, `x-amz-date`, `x-amz-content-sha256`, the session token and the given headers
are signed, and no others, because a hop may change them; `repr` never shows a secret.
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

_ALWAYS_SIGNED = b"host;x-amz-content-sha256;x-amz-date"  # signed in every request


class Credentials:
    """The credentials of one target."""

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
        self._date = b""  # the day for which the next three are valid
        self._key = SigningKey(b"")
        self._scope = b""
        self._credential = b""

    def __repr__(self) -> str:
        return f"<Signer {self.region.decode(errors='replace')}>"

    @property
    def temporary(self) -> bool:
        """Whether the credentials are of a session, which expires."""
        return self._token is not None

    @property
    def access_key_id(self) -> bytes:
        """The id of the access key."""
        return self._credentials.access_key_id

    def equals(self, other: Signer) -> bool:
        """Whether the other signer has the same credentials."""
        mine, others = self._credentials, other._credentials
        return (mine.access_key_id, mine.secret, mine.token) == (
            others.access_key_id,
            others.secret,
            others.token,
        )

    def in_region(self, region: bytes) -> Signer:
        """Return a signer for another region; cached, so the caller must bound the regions."""
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
        """Return the header lines to add, each with its CRLF: authorization, x-amz-date, ...

        raw_path, raw_query: as they will be sent.
        amz_headers: the other x-amz-* headers (and content-md5) that will be sent: lower-case
            names, values without outer white space, in wire order.
        payload: the value of x-amz-content-sha256.
        """
        timestamp = basic(int(now))
        if timestamp[:8] != self._date:
            self._derive_key(timestamp[:8])
        fields = {b"host": host, b"x-amz-content-sha256": payload, b"x-amz-date": timestamp}
        signed = _ALWAYS_SIGNED
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
        """Return the chain that signs the body's chunks, from the lines that `sign` returned."""
        signature, timestamp = lines[0][-66:-2], lines[1][-18:-2]
        return Chain(self._key, timestamp, self._scope, signature)

    def _derive_key(self, date: bytes) -> None:
        """Derive the key of a new day."""
        secret = self._credentials.secret
        self._key = signing_key(secret, date, self.region)
        remember(secret, date, self.region, self._key)
        self._scope = b"%b/%b/s3/aws4_request" % (date, self.region)
        self._credential = self._credentials.access_key_id + b"/" + self._scope
        self._date = date


class Unsigned:
    """The signer of anonymous requests, which are sent without a signature."""

    __slots__ = ("region",)

    def __init__(self, region: bytes) -> None:
        self.region = region  # where the target is

    def in_region(self, region: bytes) -> Unsigned:
        """Return the same for another region."""
        return Unsigned(region)

    def sign(self, *_: object) -> list[bytes]:
        """Return no lines."""
        return []

    def chain(self, _: Sequence[bytes]) -> Chain:
        """Return a chain that is never used (`profiles.without_signature`)."""
        return Chain(SigningKey(b""), b"", b"", b"")
