"""`${VAR}` and `*_file`: where secrets come from, and where they never go."""

from __future__ import annotations

import pytest

from tests.unit.gateway.config.loading import Desk

TARGET = "s3: {{endpoint: 'http://127.0.0.1:9000', access_key_id: AKID2, {rest}}}\n"


def secret(desk: Desk, rest: str, environ: dict[str, str] | None = None) -> str:
    pair = desk.model(TARGET.format(rest=rest), environ).targets["s3"].source.keys
    return pair.secret_access_key.get_secret_value()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${A}", "one"),
        ("${A}${B}", "onetwo"),
        ("x${A}y", "xoney"),
        ("$${A}", "${A}"),
        ("$A", "$A"),
        ("$$", "$$"),
        ("a}b", "a}b"),
        ("${C}", "${A}"),  # what a variable holds is not looked at again
        ("on", "on"),
        ("0123", "0123"),
        ("1e10", "1e10"),
    ],
)
def test_variables_in_a_value(desk: Desk, written: str, value: str) -> None:
    environ = {"A": "one", "B": "two", "C": "${A}"}
    quote = "" if written.isalnum() else "'"
    assert secret(desk, f"secret_access_key: {quote}{written}{quote}", environ) == value


def test_variables_work_in_every_setting(desk: Desk) -> None:
    text = "router: {workers: '${N}', listen_address: '${L}'}\ns3: {region: '${R}'}\n"
    model = desk.model(text, {"N": "3", "L": "127.0.0.1:1", "R": "eu-west-1"})
    assert (model.workers, model.listen[0].port, model.targets["s3"].region) == (3, 1, "eu-west-1")


@pytest.mark.parametrize("content", ["hidden", "hidden\n", "hidden\r\n"])
def test_a_file_holds_the_value_on_its_line(desk: Desk, content: str) -> None:
    (desk.directory / "secret").write_bytes(content.encode())
    assert secret(desk, "secret_access_key_file: secret") == "hidden"
    assert secret(desk, f"secret_access_key_file: {desk.directory}/secret") == "hidden"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"hidden\nhidden\n", "holds more than one line"),
        (b"hidden\xff", "is not UTF-8 text"),
        (b"hidden\x00", "does not hold a valid value"),
        ("hiddené".encode(), "does not hold a valid value"),
        (b"x" * 2_000_000, "is larger than 1048576 bytes"),
    ],
)
def test_a_useless_file_is_said_without_its_content(desk: Desk, content, complaint) -> None:
    (desk.directory / "secret").write_bytes(content)
    lines = desk.problems(TARGET.format(rest="secret_access_key_file: secret"))
    assert [line for line in lines if "warning" not in line] == [
        f"s3.secret_access_key_file: {complaint}"
    ]


def test_every_file_that_was_read_or_looked_for_is_watched(desk: Desk) -> None:
    (desk.directory / "secret").write_text("hidden")
    rest = "secret_access_key_file: secret, tls: {ca_file: missing.pem}"
    loaded = desk.load(TARGET.format(rest=rest).replace("http:", "https:"))
    assert loaded.model is None
    assert loaded.watched_files() == [
        desk.file,
        desk.directory / "secret",
        desk.directory / "missing.pem",
    ]


def test_the_secret_of_a_broken_configuration_is_in_no_problem(desk: Desk) -> None:
    text = "s3: {access_key_id: 'hid den', secret_access_key: ['hidden'], endpoint: 'hidden'}\n"
    assert "hidden" not in "".join(desk.problems(text)).replace("http://hidden", "").replace(
        "https://hidden", ""
    )
