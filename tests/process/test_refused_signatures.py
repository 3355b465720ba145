"""A target refuses what the gateway signed: credentials that ended, a bucket of another region."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from tests.doubles.target import Request, Target
from tests.process.harness import Gateway, open_config

SECRET = "a-secret-that-nobody-may-see"


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as target:
        yield target


def error(code: str, more: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>m</Message>{more}</Error>".encode()


def refuse(target: Target, key: str, code: str, status: str) -> None:
    """Have the target refuse what is signed with this key."""
    leak = f"<AWSAccessKeyId>{key}</AWSAccessKeyId><CanonicalRequest>GET</CanonicalRequest>"

    def refusal(request: Request) -> tuple[str, bytes] | None:
        signed = f"Credential={key}/" in request.headers["authorization"]
        return (status, error(code, leak)) if signed else None

    target.refusal = refusal


def write_profile(home: Path, key: str) -> None:
    """Credentials of a session, as a tool that renews them writes them."""
    (home / ".aws").mkdir(exist_ok=True)
    fresh = home / ".aws" / "fresh"
    fresh.write_text(
        f"[store]\naws_access_key_id = {key}\naws_secret_access_key = {SECRET}\n"
        "aws_session_token = session\n"
    )
    fresh.replace(home / ".aws" / "credentials")


def session_config(target: Target) -> dict[str, object]:
    main = {"profile": "generic", "endpoint": target.url, "aws_profile": "store"}
    return {**open_config(target.url), "targets": {"main": main}}


def start_with_session(target: Target) -> Gateway:
    """A gateway that has read the credentials ASIAOLD from a profile of its home."""
    gateway = Gateway.start(open_config(target.url), log_format="text", access_log="-")
    gateway.expected_files |= {".aws", ".aws/credentials"}
    write_profile(gateway.directory, "ASIAOLD")
    assert gateway.reload(session_config(target))
    return gateway


def test_credentials_that_ended_early_are_renewed_under_a_request(target: Target) -> None:
    target.objects["/bkt/k"] = b"here"
    with start_with_session(target) as gateway:
        assert gateway.request("GET", "/bkt/k").body == b"here"
        # Somebody ends the session, and somebody writes the next one.
        write_profile(gateway.directory, "ASIANEW")
        refuse(target, "ASIAOLD", "ExpiredToken", "400 Bad Request")
        seen = len(target.requests)
        answer = gateway.request("GET", "/bkt/k")
        assert (answer.status, answer.body) == (200, b"here")
        assert len(target.requests) == seen + 2  # once more, not more often
        gateway.wait_for_log("refused the gateway's signature: ExpiredToken.* target=main")
        gateway.wait_for_log("asking for new credentials: target main")
        assert gateway.request("PUT", "/bkt/k", b"new").status == 200
        assert "ASIANEW" in target.requests[-1].headers["authorization"]
        log = gateway.log.text() + gateway.stdout.text()
    for word in (SECRET, "CanonicalRequest", "ASIAOLD", "ASIANEW"):
        assert word not in log


@pytest.mark.slow
def test_credentials_that_stay_refused(target: Target) -> None:
    refuse(target, "ASIAOLD", "InvalidAccessKeyId", "403 Forbidden")
    with start_with_session(target) as gateway:
        asked = {"GET": None, "PUT": b"x" * 100_000, "DELETE": None}
        with ThreadPoolExecutor(len(asked)) as together:  # each waits for other credentials
            answers = together.map(
                lambda method: gateway.request(method, "/bkt/k", asked[method]), asked
            )
        for answer in answers:
            assert answer.status == 503
            assert b"<Code>ServiceUnavailable</Code>" in answer.body
            assert b"ASIAOLD" not in answer.body
            assert b"Canonical" not in answer.body
        assert len(target.requests) == 3
        # B6: HEAD has no document, so the target is asked what it means (docs/errors.md).
        assert gateway.request("HEAD", "/bkt/k").status == 503
        line = gateway.wait_for_log("refused the gateway's signature: InvalidAccessKeyId").string
        assert re.search(r"request_id=\w+ target=main$", line)
        assert SECRET not in gateway.log.text()
        # every refused request asks in its worker; control asked the source once
        assert gateway.log.text().count("asking for new credentials") == 1


def test_a_plain_denial_is_the_stores_answer(target: Target) -> None:
    target.refusal = lambda _: ("403 Forbidden", error("AccessDenied"))
    with Gateway.start(open_config(target.url)) as gateway:
        answer = gateway.request("GET", "/bkt/k")
        assert (answer.status, answer.body) == (403, error("AccessDenied"))
        assert answer.headers["x-target"] == "target"


def other_region(request: Request) -> tuple[str, bytes] | None:
    """A store whose every bucket is in eu-west-1."""
    if "/eu-west-1/s3/" in request.headers["authorization"]:
        return None
    return "400 Bad Request", error("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")


def regional_config(target: Target) -> dict[str, object]:
    config = open_config(target.url)
    config["targets"]["main"] |= {"profile": "s3", "region": "us-east-1"}  # type: ignore[index]
    return config


def test_an_sdk_uploads_into_another_region_and_does_not_know(target: Target) -> None:
    target.refusal = other_region
    body = b"0123456789" * 50_000
    with Gateway.start(regional_config(target), workers=1) as gateway:
        client = boto3.client(
            "s3",
            endpoint_url=gateway.url,
            region_name="us-east-1",
            aws_access_key_id="anybody",
            aws_secret_access_key="anything",
            config=Config(s3={"addressing_style": "path"}),
        )
        # The first upload is told to come again, and its second try goes right.
        put = client.put_object(Bucket="bkt", Key="k", Body=body)
        assert put["ResponseMetadata"]["RetryAttempts"] == 1
        assert target.objects["/bkt/k"] == body
        seen = len(target.requests)
        assert client.get_object(Bucket="bkt", Key="k")["Body"].read() == body
        assert len(target.requests) == seen + 1  # straight there
        # A bucket not seen yet costs a request without a body nothing but time.
        target.objects["/other/k"] = b"there"
        got = client.get_object(Bucket="other", Key="k")
        assert got["ResponseMetadata"]["RetryAttempts"] == 0
        assert got["Body"].read() == b"there"
        client.close()
        gateway.wait_for_log("the bucket is in another region.* bucket=bkt region=eu-west-1")
