"""botocore's chain against real endpoints on loopback: container, instance, STS.

One small HTTP server plays all of them and keeps what it was asked.
"""

from __future__ import annotations

import datetime
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr

from gateway.config.credential_sources import CredentialSource, KeyPair
from gateway.control.credentials import Chain, CredentialsError

ROLE = "arn:aws:iam::123456789012:role/storage"


def ending() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)


class Cloud(ThreadingHTTPServer):
    """The parts of AWS that hand out credentials."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Part)
        self.asked: list[dict[str, str]] = []
        self.refuse = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Part(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Cloud

    def do_GET(self) -> None:
        self.server.asked.append({name.lower(): value for name, value in self.headers.items()})
        if self.path.endswith("/security-credentials/"):
            self._answer(b"role-of-the-instance", "text/plain")
        else:
            self._answer(self._credentials(), "application/json")

    def do_PUT(self) -> None:
        self._answer(b"imds-token", "text/plain")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        self.server.asked.append({**asked, "authorization": self.headers.get("Authorization", "")})
        if self.server.refuse:
            self._answer(
                b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
                b"<Message>not you</Message></Error></ErrorResponse>",
                "text/xml",
                403,
            )
            return
        action = asked["Action"]
        self._answer(
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
            "<Credentials><AccessKeyId>ASIAROLE</AccessKeyId>"
            "<SecretAccessKey>hidden</SecretAccessKey><SessionToken>token</SessionToken>"
            f"<Expiration>{ending():%Y-%m-%dT%H:%M:%SZ}</Expiration>"
            "</Credentials><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/storage/s"
            "</Arn><AssumedRoleId>AROA:s</AssumedRoleId></AssumedRoleUser>"
            f"</{action}Result></{action}Response>".encode(),
            "text/xml",
        )

    def _credentials(self) -> bytes:
        document = {
            "Code": "Success",
            "AccessKeyId": "ASIACLOUD",
            "SecretAccessKey": "hidden",
            "Token": "token",
            "Expiration": f"{ending():%Y-%m-%dT%H:%M:%SZ}",
        }
        return json.dumps(document).encode()

    def _answer(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with Cloud() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        yield server
        server.shutdown()
        thread.join()


def in_an_hour(moment: float | None) -> bool:
    return moment is not None and abs(moment - time.time() - 3600) < 60


def test_the_container_endpoint_with_its_token(cloud: Cloud, monkeypatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{cloud.url}/creds")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token")
    found = Chain(CredentialSource())()
    assert (found.access_key_id, found.token) == ("ASIACLOUD", "token")
    assert in_an_hour(found.expires)
    assert cloud.asked[0]["authorization"] == "pod-token"


def test_instance_metadata(cloud: Cloud, monkeypatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", cloud.url)
    found = Chain(CredentialSource())()
    assert found.access_key_id == "ASIACLOUD"
    assert in_an_hour(found.expires)
    assert all(asked["x-aws-ec2-metadata-token"] == "imds-token" for asked in cloud.asked)


def test_instance_metadata_can_be_forbidden(cloud: Cloud, monkeypatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", cloud.url)
    with pytest.raises(CredentialsError, match="the default chain has none"):
        Chain(CredentialSource())()
    assert cloud.asked == []


def test_a_role_on_top_of_static_keys(cloud: Cloud) -> None:
    pair = KeyPair("AKIDBASE", SecretStr("hidden"))
    source = CredentialSource(
        keys=pair, role_arn=ROLE, external_id="ticket-7", region="eu-central-1"
    )
    chain = Chain(source)
    found = chain()
    assert (found.access_key_id, found.token) == ("ASIAROLE", "token")
    assert in_an_hour(found.expires)
    (asked,) = cloud.asked
    assert (asked["Action"], asked["RoleArn"]) == ("AssumeRole", ROLE)
    assert (asked["ExternalId"], asked["RoleSessionName"]) == ("ticket-7", "s3gateway")
    assert "Credential=AKIDBASE/" in asked["authorization"]
    assert "/eu-central-1/sts/" in asked["authorization"]
    assert chain() == found  # known and far from its end: nobody is asked
    assert len(cloud.asked) == 1


def test_a_role_on_top_of_a_profile(cloud: Cloud, tmp_path) -> None:
    (tmp_path / "credentials").write_text(
        "[team]\naws_access_key_id = AKIDTEAM\naws_secret_access_key = hidden\n"
    )
    Chain(CredentialSource(aws_profile="team", role_arn=ROLE))()
    assert "Credential=AKIDTEAM/" in cloud.asked[0]["authorization"]
    assert "ExternalId" not in cloud.asked[0]


def test_a_role_on_top_of_the_container(cloud: Cloud, monkeypatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{cloud.url}/creds")
    assert Chain(CredentialSource(role_arn=ROLE))().access_key_id == "ASIAROLE"
    assert "Credential=ASIACLOUD/" in cloud.asked[1]["authorization"]


def test_web_identity(cloud: Cloud, monkeypatch, tmp_path) -> None:
    (tmp_path / "token").write_text("a.jwt.token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    found = Chain(CredentialSource(region="eu-west-1"))()
    assert (found.access_key_id, in_an_hour(found.expires)) == ("ASIAROLE", True)
    asked = cloud.asked[0]
    assert (asked["Action"], asked["WebIdentityToken"]) == (
        "AssumeRoleWithWebIdentity",
        "a.jwt.token",
    )


def test_a_role_that_is_refused_is_said_without_secrets(cloud: Cloud) -> None:
    cloud.refuse = True
    source = CredentialSource(keys=KeyPair("AKIDBASE", SecretStr("hidden")), role_arn=ROLE)
    with pytest.raises(CredentialsError, match=r"AccessDenied.*not you") as caught:
        Chain(source)()
    assert "hidden" not in str(caught.value)
