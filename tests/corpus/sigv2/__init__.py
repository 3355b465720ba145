"""The corpus of Signature Version 2: recipes in TOML, rendered to raw request bytes.

A recipe says what is sent and, apart from that, what was signed: the lines of the string to sign
stand in it as they are, so that no code here can share a mistake with the gateway. In every text
`{name}` stands for what the case is rendered with: host, date, iso, expires, expires_at,
server_time, access_key_id, signature, authorization, string_to_sign (and `_hex`).

`source` says where the answer comes from: "AWS errors 1.8 [A]" is a row of AWS's errors, as in
`corpus/sources.toml`; "AWS measured" is brekkylab/backlot `sigv2.py` (us-east-1); "AWS docs" the
page "Signing and authenticating REST requests"; "the gateway's own" is stricter than AWS.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import tomllib
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote

ACCESS_KEY_ID = "AKIDSIGV2EXAMPLE0000"
SECRET = "corpus/secret+EXAMPLE/of/version/two"
DOMAIN = "s3.corpus.test"
UPLOAD_ID = "a/b"  # of every upload in the cases, which goes to the key `some/key`


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is sent and what was signed. The defaults make a good request."""

    form: str = "query"  # query | header | none (nothing is added)
    accepts: str = "all"  # auth.sigv2
    method: str = "GET"
    path: str = "/corpus-bucket/some/key"  # raw
    host: str = "{host}"
    query: str = ""  # raw, before the signature's own parameters
    headers: list[list[str]] = field(default_factory=list)
    offset: int = 0  # seconds from now to the date that is sent
    lifetime: int = 300  # seconds from now to Expires
    expires: str = ""  # instead of that
    authorization: str = "AWS {access_key_id}:{signature}"
    parameters: str = "AWSAccessKeyId={access_key_id}&Expires={expires}&Signature={signature}"
    access_key_id: str = ACCESS_KEY_ID
    secret: str = SECRET
    # the string to sign
    md5: str = ""
    type: str = ""
    date: str = "default"  # the Date header, or Expires
    amz: list[str] = field(default_factory=list)  # lines
    resource: str = "/corpus-bucket/some/key"


@dataclass(frozen=True, slots=True)
class Case:
    """One case; `expect` is {accepted = true}, or status, code, message and elements."""

    name: str
    source: str
    recipe: Recipe
    expect: dict[str, object]

    @property
    def accepted(self) -> bool:
        return bool(self.expect.get("accepted"))

    def with_upload_id(self, upload_id: str) -> Case:
        """The same case with the id that a client has of the upload, for a gateway that seals."""
        recipe = self.recipe
        query = recipe.query.replace(
            f"uploadId={quote(UPLOAD_ID, safe='')}", f"uploadId={upload_id}"
        )
        resource = recipe.resource.replace(f"uploadId={UPLOAD_ID}", f"uploadId={upload_id}")
        return replace(self, recipe=replace(recipe, query=query, resource=resource))

    def render(self, host: str, now: float) -> tuple[bytes, dict[str, str]]:
        """The raw request for `host` at `now` (epoch seconds), and what its `{name}`s stand for."""
        recipe = self.recipe
        moment = datetime.fromtimestamp(int(now) + recipe.offset, UTC)
        expires = recipe.expires or str(int(now) + recipe.lifetime)
        names = {
            "host": host,
            "date": format_datetime(moment, usegmt=True),
            "iso": moment.strftime("%Y%m%dT%H%M%SZ"),
            "expires": expires,
            "server_time": _extended(int(now)),
            "access_key_id": recipe.access_key_id,
        }
        if expires.isdigit() and len(expires) < 12:
            names["expires_at"] = _extended(int(expires))
        text = fill(self._string_to_sign(), names)
        digest = hmac.new(recipe.secret.encode(), text.encode(), hashlib.sha1).digest()
        signature = base64.b64encode(digest).decode()
        names |= {"string_to_sign": text, "string_to_sign_hex": text.encode().hex(" ")}
        names["signature"] = signature
        names["authorization"] = fill(recipe.authorization, names)
        return self._raw(names), names

    def _string_to_sign(self) -> str:
        recipe = self.recipe
        default = "{date}" if recipe.form == "header" else "{expires}"
        date = default if recipe.date == "default" else recipe.date
        lines = [recipe.method, recipe.md5, recipe.type, date, *recipe.amz, recipe.resource]
        return "\n".join(lines)

    def _raw(self, names: dict[str, str]) -> bytes:
        recipe = self.recipe
        headers = [["host", recipe.host], *recipe.headers]
        query = recipe.query
        if recipe.form == "header":
            headers.append(["authorization", "{authorization}"])
        elif recipe.form == "query":
            escaped = {**names, "signature": quote(names["signature"], safe="")}
            added = fill(recipe.parameters, escaped)
            query = f"{query}&{added}" if query else added
        target = recipe.path + (f"?{query}" if query else "")
        lines = [f"{recipe.method} {target} HTTP/1.1"]
        lines += [f"{name}: {fill(value, names)}" for name, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def fill(text: str, names: dict[str, str]) -> str:
    """The text with every `{name}` replaced."""
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def cases() -> list[Case]:
    """Every case of the file."""
    text = (Path(__file__).parent / "cases.toml").read_text()
    return [_case(entry) for entry in tomllib.loads(text)["case"]]


def _case(entry: dict[str, object]) -> Case:
    name = str(entry.pop("name"))
    source = str(entry.pop("source"))
    expect = entry.pop("expect")
    assert isinstance(expect, dict)
    unknown = set(entry) - {one.name for one in fields(Recipe)}
    assert not unknown, f"{name}: unknown {unknown}"
    return Case(name, source, Recipe(**entry), expect)  # type: ignore[arg-type]


def _extended(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
