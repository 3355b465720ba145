"""`router.tls`: what is read, refused and warned of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trustme

from gateway.config.certificates import validity
from gateway.config.compile import compile_snapshot
from gateway.config.effective import effective
from tests.unit.gateway.config.loading import S3, Desk

TLS = 'router: {tls: {listen_address: "%s", cert_file: cert.pem, key_file: key.pem}}\n'
HERE, EVERYWHERE = TLS % "127.0.0.1:8443", TLS % "0.0.0.0:8443"
YEAR = timedelta(days=365)


def issue(desk: Desk, **dates: datetime) -> trustme.LeafCert:
    issued = trustme.CA().issue_cert("localhost", **dates)
    issued.private_key_pem.write_to_path(desk.directory / "key.pem")
    issued.cert_chain_pems[0].write_to_path(desk.directory / "cert.pem")
    return issued


def test_certificates_travel_as_text(desk: Desk) -> None:
    issued = issue(desk)
    model = desk.model(S3 + HERE)
    assert "PRIVATE KEY" not in repr(model)
    assert compile_snapshot(model, {})["certificate"] == {
        "cert_pem": issued.cert_chain_pems[0].bytes().decode(),
        "key_pem": issued.private_key_pem.bytes().decode(),
    }


def test_without_tls_there_is_no_certificate(desk: Desk) -> None:
    assert compile_snapshot(desk.model(S3), {})["certificate"] is None


def test_addresses_are_settings_of_the_start(desk: Desk) -> None:
    issue(desk)
    boot = desk.load(S3 + HERE).boot()
    assert (boot["listen"], boot["listen_tls"]) == ([["127.0.0.1", 8080]], [["127.0.0.1", 8443]])


def test_files_are_watched(desk: Desk) -> None:
    issue(desk)
    assert {file.name for file in desk.load(S3 + HERE).watched_files()} >= {"cert.pem", "key.pem"}


def test_the_effective_configuration_names_the_files(desk: Desk) -> None:
    issue(desk)
    router = effective(desk.model(S3 + HERE))["router"]
    assert router["tls"] == {
        "listen_address": ["127.0.0.1:8443"],
        "cert_file": "cert.pem",
        "key_file": "key.pem",
    }


def test_a_tls_address_off_loopback_makes_the_gateway_reachable(desk: Desk) -> None:
    issue(desk)
    assert desk.model(S3 + HERE).loopback
    model = desk.model(S3 + EVERYWHERE)
    assert not model.loopback
    assert [identity.targets for identity in model.identities] == [("s3",)]


def test_the_key_of_another_certificate_is_refused(desk: Desk) -> None:
    issue(desk)
    trustme.CA().issue_cert("x.example").private_key_pem.write_to_path(desk.directory / "key.pem")
    assert desk.problems(S3 + HERE) == ["router.tls.key_file: is not the key of the certificate"]


def test_an_encrypted_key_is_refused_without_asking_for_its_password(desk: Desk) -> None:
    issue(desk)
    file = desk.directory / "key.pem"
    file.write_text(file.read_text().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"))
    assert desk.problems(S3 + HERE) == ["router.tls.key_file: is encrypted (remove its password)"]


def test_a_damaged_certificate_is_refused(desk: Desk) -> None:
    issue(desk)
    file = desk.directory / "cert.pem"
    file.write_text(file.read_text().replace("\nMII", "\nMIJ"))
    assert desk.problems(S3 + HERE) == [
        "router.tls.cert_file: certificate and key are not a usable PEM pair"
    ]


@pytest.mark.parametrize(
    ("since", "until", "warning"),
    [
        (-2 * YEAR, -YEAR, "expired on"),
        (YEAR, 2 * YEAR, "is valid from"),
    ],
)
def test_dates_are_warned_of(desk: Desk, since: timedelta, until: timedelta, warning: str) -> None:
    now = datetime.now(UTC)
    issue(desk, not_before=now + since, not_after=now + until)
    loaded = desk.load(S3 + HERE)
    assert loaded.model is not None
    (problem,) = loaded.problems
    assert "router.tls.cert_file: warning: the certificate " + warning in problem.format()


@pytest.mark.parametrize("year", [1999, 2026, 2049, 2050, 2300])
def test_dates_of_every_century(year: int) -> None:
    until = datetime(year, 6, 5, 4, 3, 2, tzinfo=UTC)
    issued = trustme.CA().issue_cert("a.example", not_before=until - YEAR, not_after=until)
    pem = issued.cert_chain_pems[0].bytes().decode()
    assert validity(f"comment\n{pem}") == ((until - YEAR).timestamp(), until.timestamp())


@pytest.mark.parametrize(
    "pem", ["", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"]
)
def test_garbage_has_no_dates(pem: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        validity(pem)
