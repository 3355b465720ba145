"""The malformed-signature corpus: recipes in TOML, rendered to raw request bytes.

`cases()` gives every case; `Case.render(host, now)` the bytes to send and the answer to expect, so
that the same case runs against the pure functions at a fixed time and against a live gateway now.

A recipe is signed by the plain signer below, which shares no code with the gateway, and then edited
as text (`wire`). Recipe fields and their defaults are those of `Recipe`. In `wire` and in expected
elements, `{name}` stands for what the signer used: date, day, scope_date, server_time, expires_at,
credential, signature, string_to_sign, canonical (and each of the last two with `_hex`).

An expected element with the value `*` may have any value. `source` says where the answer comes
from: "AWS errors 1.13 [A]" is a row of AWS's errors; `corpus/sources.toml` says from where each
row is known, and what the letters mean.
"""

from __future__ import annotations

import hashlib
import hmac
import tomllib
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

ACCESS_KEY_ID = "AKIDCORPUSEXAMPLE000"
SECRET = "corpus/secret+EXAMPLE/of/the/signature/cases"
REGION = "us-east-1"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
# Elements whose value depends on when the gateway looks at its clock.
VOLATILE = frozenset(("ServerTime",))

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to sign and what to break. The defaults make a good request."""

    form: str = "header"  # header | query | none
    method: str = "GET"
    path: str = "/corpus-bucket/some/key"  # raw
    query: str = ""  # raw, signed
    headers: list[list[str]] = field(default_factory=list)  # signed
    unsigned: list[list[str]] = field(default_factory=list)  # sent, not signed
    also_signed: list[str] = field(default_factory=list)  # signed as empty, not sent
    not_signed: list[str] = field(default_factory=list)  # left out of SignedHeaders
    offset: int = 0  # seconds from now to the date that is signed
    date: str = "iso"  # iso | rfc1123 | rfc1123-numeric | rfc850 | asctime | missing | literal
    date_header: str = "x-amz-date"
    timestamp: str = "sent"  # what the string to sign holds: sent | iso
    payload: str = ""  # default: the empty digest in headers, UNSIGNED-PAYLOAD in queries
    payload_header: str = "default"  # default (only in headers) | signed | unsigned | missing
    algorithm: str = "AWS4-HMAC-SHA256"
    access_key_id: str = ""
    secret: str = ""
    scope_date: str = ""
    scope_offset: int = 0  # seconds from the signed date to the one whose day is in the scope
    region: str = ""
    service: str = "s3"
    terminal: str = "aws4_request"
    expires: str = "300"
    token: str = ""
    separator: str = ", "
    wire: list[list[str]] = field(default_factory=list)  # [old, new] edits of the raw request


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer. `accepted`: the signature is good, and `payload` is what was signed."""

    accepted: bool
    status: int
    code: str
    message: str
    elements: tuple[tuple[str, str], ...]
    payload: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """Raw request bytes and the answer they must get."""

    raw: bytes
    expected: Expected


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the corpus."""

    name: str
    source: str
    recipe: Recipe
    expect: dict[str, object]

    def render(
        self,
        host: str,
        now: float,
        access_key_id: str = ACCESS_KEY_ID,
        secret: str = SECRET,
        region: str = REGION,
    ) -> Rendered:
        """The request for `host` at `now` (epoch seconds), signed with a key the gateway knows."""
        draft = _Draft(self.recipe, host, now, access_key_id, secret, region)
        return Rendered(draft.raw(), self._expected(draft))

    def _expected(self, draft: _Draft) -> Expected:
        expect = self.expect
        elements = expect.get("elements", [])
        assert isinstance(elements, list)
        return Expected(
            accepted=bool(expect.get("accepted", False)),
            status=int(str(expect.get("status", 200))),
            code=str(expect.get("code", "")),
            message=draft.fill(str(expect.get("message", ""))),
            elements=tuple((name, draft.fill(value)) for name, value in elements),
            payload=str(expect.get("payload", "")),
        )


def cases() -> list[Case]:
    """Every case, in the order of the files."""
    files = sorted(Path(__file__).parent.glob("*.toml"))
    return [_case(entry) for path in files for entry in tomllib.loads(path.read_text())["case"]]


def _case(entry: dict[str, object]) -> Case:
    name = str(entry.pop("name"))
    source = str(entry.pop("source"))
    expect = entry.pop("expect")
    assert isinstance(expect, dict)
    unknown = set(entry) - {one.name for one in fields(Recipe)}
    assert not unknown, f"{name}: unknown {unknown}"
    return Case(name, source, Recipe(**entry), expect)  # type: ignore[arg-type]


class _Draft:
    """One recipe being signed, by AWS's own description of Signature Version 4."""

    def __init__(
        self, recipe: Recipe, host: str, now: float, access_key_id: str, secret: str, region: str
    ) -> None:
        self.recipe = recipe
        self.host = host
        moment = datetime.fromtimestamp(int(now) + recipe.offset, UTC)
        scope_moment = datetime.fromtimestamp(int(now) + recipe.offset + recipe.scope_offset, UTC)
        self.iso = moment.strftime("%Y%m%dT%H%M%SZ")
        self.date = _written(recipe.date, moment)
        self.names = {
            "date": self.date,
            "iso": self.iso,
            "day": self.iso[:8],
            "scope_date": recipe.scope_date or scope_moment.strftime("%Y%m%d"),
            "server_time": datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "epoch_ms": str((int(now) + recipe.offset) * 1000),
            "host": host,
        }
        if recipe.expires.lstrip("+-").isdigit() and len(recipe.expires) < 10:
            end = datetime.fromtimestamp(int(now) + recipe.offset + int(recipe.expires), UTC)
            self.names["expires_at"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.access_key_id = recipe.access_key_id or access_key_id
        self.secret = recipe.secret or secret
        self.region = recipe.region or region
        self.scope = "/".join(
            (self.names["scope_date"], self.region, recipe.service, recipe.terminal)
        )
        self.names["credential"] = f"{self.access_key_id}/{self.scope}"
        self.names["access_key_id"] = self.access_key_id
        self.headers: Pairs = [("host", host)]
        self.query = recipe.query

    def fill(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace("{" + name + "}", value)
        return text

    def raw(self) -> bytes:
        recipe = self.recipe
        if recipe.form == "header":
            self._sign_header()
        elif recipe.form == "query":
            self._sign_query()
        else:
            self.headers += [(name, self.fill(value)) for name, value in recipe.headers]
        self.headers += [(name, self.fill(value)) for name, value in recipe.unsigned]
        target = recipe.path + ("?" + self.query if self.query else "")
        lines = [f"{recipe.method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        text = "\r\n".join(lines) + "\r\n\r\n"
        for old, new in recipe.wire:
            old = self.fill(old)
            assert old in text, f"nothing to edit: {old!r} in {text!r}"
            text = text.replace(old, self.fill(new), 1)
        return text.encode("utf-8")

    def _sign_header(self) -> None:
        recipe = self.recipe
        payload = recipe.payload or EMPTY_SHA256
        signed: Pairs = [*self.headers, *((name, value) for name, value in recipe.headers)]
        if recipe.date != "missing":
            signed.append((recipe.date_header, self.date))
        if recipe.payload_header in ("default", "signed"):
            signed.append(("x-amz-content-sha256", payload))
        if recipe.token:
            signed.append(("x-amz-security-token", recipe.token))
        listed, signature = self._signature(signed, payload)
        self.headers = signed
        if recipe.payload_header == "unsigned":
            self.headers.append(("x-amz-content-sha256", payload))
        self.names["authorization"] = f"{recipe.algorithm} " + recipe.separator.join(
            (
                f"Credential={self.names['credential']}",
                f"SignedHeaders={listed}",
                f"Signature={signature}",
            )
        )
        self.headers.append(("authorization", self.names["authorization"]))

    def _sign_query(self) -> None:
        recipe = self.recipe
        payload = recipe.payload or "UNSIGNED-PAYLOAD"
        signed: Pairs = [*self.headers, *((name, value) for name, value in recipe.headers)]
        if recipe.payload_header == "signed":
            signed.append(("x-amz-content-sha256", payload))
        listed = self._listed(signed)
        parameters = [
            ("X-Amz-Algorithm", recipe.algorithm),
            ("X-Amz-Credential", self.names["credential"]),
            ("X-Amz-Date", self.date),
            ("X-Amz-Expires", recipe.expires),
            ("X-Amz-SignedHeaders", listed),
        ]
        if recipe.token:
            parameters.append(("X-Amz-Security-Token", recipe.token))
        added = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters)
        self.query = f"{recipe.query}&{added}" if recipe.query else added
        _, signature = self._signature(signed, payload)
        self.query += f"&X-Amz-Signature={signature}"
        self.headers = signed
        if recipe.payload_header == "unsigned":
            self.headers.append(("x-amz-content-sha256", payload))

    def _listed(self, signed: Pairs) -> str:
        names = {name for name, _ in signed} | set(self.recipe.also_signed)
        return ";".join(sorted(names - set(self.recipe.not_signed)))

    def _signature(self, signed: Pairs, payload: str) -> tuple[str, str]:
        """The list of signed headers and the signature, which also fill in `names`."""
        recipe = self.recipe
        listed = self._listed(signed)
        values: dict[str, list[str]] = {}
        for name, value in signed:
            values.setdefault(name, []).append(" ".join(value.split()))
        lines = [f"{name}:{','.join(values.get(name, []))}\n" for name in listed.split(";")]
        path = quote(unquote_to_bytes(recipe.path), safe="/~")
        canonical = "\n".join(
            (recipe.method, path, _canonical_query(self.query), "".join(lines), listed, payload)
        )
        timestamp = self.iso if recipe.timestamp == "iso" else self.date
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{self.scope}\n{digest}"
        key = b"AWS4" + self.secret.encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        self.names |= {
            "canonical": canonical,
            "canonical_hex": canonical.encode().hex(" "),
            "string_to_sign": to_sign,
            "string_to_sign_hex": to_sign.encode().hex(" "),
            "signature": signature,
        }
        return listed, signature


def _canonical_query(raw: str) -> str:
    pairs = []
    for segment in raw.replace("+", "%20").split("&"):
        if segment:
            name, _, value = segment.partition("=")
            pairs.append(tuple(quote(unquote_to_bytes(part), safe="~") for part in (name, value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _written(form: str, moment: datetime) -> str:
    match form:
        case "iso":
            return moment.strftime("%Y%m%dT%H%M%SZ")
        case "rfc1123":
            return format_datetime(moment, usegmt=True)
        case "rfc1123-numeric":
            return format_datetime(moment).replace("+0000", "-0000")
        case "rfc850":
            return moment.strftime("%A, %d-%b-%y %H:%M:%S GMT")
        case "asctime":
            return moment.strftime("%a %b ") + f"{moment.day:2d}" + moment.strftime(" %H:%M:%S %Y")
        case "missing":
            return ""
    return form
