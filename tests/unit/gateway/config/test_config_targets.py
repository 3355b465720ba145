"""Targets: certificates, limits, ways to credentials."""

from __future__ import annotations

from dataclasses import fields

import pytest
import trustme

from fastpath.limits import Limits, PoolLimits, Timeouts
from tests.unit.gateway.config.loading import LAKEFS, S3, Desk

HTTPS = 's3: {endpoint: "https://store.example:8443", access_key_id: A, secret_access_key: s%s}\n'


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_certificates_travel_as_text(desk: Desk, authority: trustme.CA) -> None:
    issued = authority.issue_cert("client@example.com")
    authority.cert_pem.write_to_path(desk.directory / "ca.pem")
    issued.private_key_pem.write_to_path(desk.directory / "key.pem")
    issued.cert_chain_pems[0].write_to_path(desk.directory / "cert.pem")
    tls = "tls: {ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem}"
    material = desk.model(HTTPS % f", {tls}").targets["s3"].tls
    assert material.verify
    assert material.ca_pem == authority.cert_pem.bytes().decode()
    assert "PRIVATE KEY" in material.key_pem
    assert "PRIVATE KEY" not in repr(material)


def test_the_key_of_another_certificate_is_refused(desk: Desk, authority: trustme.CA) -> None:
    issued, other = authority.issue_cert("a@example.com"), authority.issue_cert("b@example.com")
    issued.cert_chain_pems[0].write_to_path(desk.directory / "cert.pem")
    other.private_key_pem.write_to_path(desk.directory / "key.pem")
    lines = desk.problems(HTTPS % ", tls: {cert_file: cert.pem, key_file: key.pem}")
    assert lines[-1] == "s3.tls.cert_file: certificate and key are not a usable PEM pair"


def test_https_is_verified_by_default_and_http_has_no_tls(desk: Desk) -> None:
    assert desk.model(HTTPS % "").targets["s3"].tls.verify
    assert desk.model(S3).targets["s3"].tls is None


@pytest.mark.parametrize(
    ("section", "source", "read"),
    [
        ("router: {limits: %s}\n" + S3, Limits, lambda model: model.limits),
        (S3.replace("s3: {", "s3: {pool: %s, "), PoolLimits, lambda m: m.targets["s3"].pool),
        (S3.replace("s3: {", "s3: {timeouts: %s, "), Timeouts, lambda m: m.targets["s3"].timeouts),
    ],
)
def test_limits_have_the_fields_of_their_dataclass(desk: Desk, section, source, read) -> None:
    every = "{" + ", ".join(f"{field.name}: 7" for field in fields(source)) + "}"
    assert read(desk.model(section % every)) == source(**{f.name: 7 for f in fields(source)})
    assert read(desk.model(section % "{}")) == source()
    assert desk.load(section % "{nonsense: 7}").model is None


def test_zero_turns_some_limits_off_and_is_refused_for_all_others(desk: Desk) -> None:
    text = "router: {limits: {%s: 0}}\n" + S3
    zero = {f.name for f in fields(Limits) if desk.load(text % f.name).model is not None}
    assert zero == {"connection_seconds", "connection_requests", "refused_requests"}
    assert desk.model(text % "connection_seconds").limits == Limits(connection_seconds=0)


def test_a_target_of_another_name_is_generic_unless_said_otherwise(desk: Desk) -> None:
    keys = "access_key_id: A, secret_access_key: s"
    text = (
        f"targets: {{a: {{endpoint: 'http://h', {keys}}}, b: {{profile: s3, region: eu-west-1}}}}\n"
        "routing: {default_target: a, rules: [{pattern: b, target: b}]}\n"
    )
    targets = desk.model(text).targets
    assert (targets["a"].profile, targets["a"].region) == ("generic", "us-east-1")
    assert str(targets["b"].endpoint) == "https://s3.eu-west-1.amazonaws.com"
    assert targets["b"].source is not None  # the default chain


def test_a_shorthand_may_name_another_profile(desk: Desk) -> None:
    text = LAKEFS.replace("lakefs: {", "lakefs: {profile: generic, ")
    model = desk.model(text + "routing: {default_target: lakefs}\n")
    assert model.targets["lakefs"].profile == "generic"


def test_only_aws_may_use_the_default_chain_unasked(desk: Desk) -> None:
    text = "targets: {a: {endpoint: 'http://h'%s}}\nrouting: {default_target: a}\n"
    assert desk.load(text % "").model is None
    assert desk.model(text % ", aws_profile: team").targets["a"].source.aws_profile == "team"
    role = "arn:aws-us-gov:iam::123456789012:role/path/name"
    assert desk.model(text % f", role_arn: '{role}'").targets["a"].source.role_arn == role


def test_what_nothing_reaches_is_left_out_and_only_noted(desk: Desk) -> None:
    loaded = desk.load(S3)
    assert list(loaded.model.targets) == ["s3"]
    assert loaded.problems == []
    assert [note.path for note in loaded.notes] == ["lakefs", "auth.identities"]


@pytest.mark.parametrize(
    ("listen", "endpoint", "circle"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080", True),
        ("127.0.0.1:8080", "http://localhost:8080", True),
        ("[::1]:8080", "http://localhost:8080", True),
        ("0.0.0.0:8080", "http://127.0.0.5:8080", True),
        ("127.0.0.1:80", "http://127.0.0.1", True),
        ("127.0.0.1:8080", "http://0.0.0.0:8080", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8081", False),
        ("127.0.0.1:8080", "http://127.0.0.2:8080", False),
        ("127.0.0.1:0", "http://127.0.0.1:80", False),
        ("10.0.0.1:8080", "http://store.example:8080", False),
    ],
)
def test_a_target_that_is_the_gateway_itself(desk: Desk, listen, endpoint, circle) -> None:
    text = f"s3: {{endpoint: '{endpoint}', access_key_id: A, secret_access_key: s}}\n"
    assert (desk.load(text, listen=[listen]).model is None) is circle
