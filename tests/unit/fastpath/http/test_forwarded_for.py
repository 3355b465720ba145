"""Who is the client behind proxies: the rightmost address that no trusted proxy has."""

from __future__ import annotations

import pytest

from fastpath.http.forwarded_for import TrustedProxies
from tests.doubles.http1 import get
from tests.doubles.wire import Rig

NETWORKS = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8:1::/48", "fe80:1::/32"]
PROXY = "10.0.0.1:50000"

CASES = {
    # name: (connection, X-Forwarded-For, the client)
    "nobody says anything": (PROXY, None, PROXY),
    "an empty line": (PROXY, b"", PROXY),
    "one proxy": (PROXY, b"198.51.100.9", "198.51.100.9:0"),
    "two proxies": (PROXY, b"198.51.100.9, 10.1.1.1", "198.51.100.9:0"),
    "what the client wrote stays to the left": (PROXY, b"1.1.1.1, 198.51.100.9", "198.51.100.9:0"),
    "a proxy that is not trusted is the client": (
        PROXY,
        b"198.51.100.9, 203.0.113.5, 10.1.1.1",
        "203.0.113.5:0",
    ),
    "a trusted address behind one that is not": (PROXY, b"10.9.9.9, 203.0.113.5", "203.0.113.5:0"),
    "all are trusted": (PROXY, b"10.3.3.3, 10.2.2.2", "10.3.3.3:0"),
    "who connects is not trusted": ("203.0.113.5:1", b"198.51.100.9", "203.0.113.5:1"),
    "who connects is one machine": ("192.0.2.7:1", b"198.51.100.9", "198.51.100.9:0"),
    "who connects is its neighbour": ("192.0.2.8:1", b"198.51.100.9", "192.0.2.8:1"),
    "with a port": (PROXY, b"198.51.100.9:4711", "198.51.100.9:4711"),
    "with no such port": (PROXY, b"198.51.100.9:65536", "198.51.100.9:0"),
    "IPv6": (PROXY, b"2001:DB8::9", "2001:db8::9:0"),
    "IPv6 in brackets": (PROXY, b"[2001:db8::9]", "2001:db8::9:0"),
    "IPv6 with a port": (PROXY, b"[2001:db8::9]:443", "2001:db8::9:443"),
    "a proxy of IPv6": ("2001:db8:1::5:1", b"198.51.100.9", "198.51.100.9:0"),
    "a proxy of IPv6 with a zone": ("fe80::1%eth0:1", b"198.51.100.9", "fe80::1%eth0:1"),
    "a trusted proxy with a zone": ("fe80:1::1%eth0:1", b"198.51.100.9", "198.51.100.9:0"),
    "IPv4 on a socket of both": ("::ffff:10.0.0.1:1", b"::ffff:198.51.100.9", "198.51.100.9:0"),
    "white space and empty members": (PROXY, b" 198.51.100.9\t,, ,10.1.1.1 ,", "198.51.100.9:0"),
    "a word ends it": (PROXY, b"198.51.100.9, unknown, 10.1.1.1", "10.1.1.1:0"),
    "a word alone": (PROXY, b"unknown", PROXY),
    "no address": (PROXY, b"198.51.100.9, 10.1.1.1.1", PROXY),
    "a number out of range": (PROXY, b"198.51.100.9, 300.1.1.1", PROXY),
    "octal": (PROXY, b"010.1.1.1", PROXY),
    "a zone": (PROXY, b"fe80::1%eth0", PROXY),
    "brackets around IPv4": (PROXY, b"[198.51.100.9]", "198.51.100.9:0"),
    "half a bracket": (PROXY, b"[2001:db8::9", PROXY),
    "quotes": (PROXY, b'"198.51.100.9"', PROXY),
    "not ASCII": (PROXY, "١٩٨.51.100.9".encode(), PROXY),
    "a long word": (PROXY, b"1" * 16000, PROXY),
    "a hundred colons": (PROXY, b":" * 100, PROXY),
    "more trusted ones than are looked at": (
        PROXY,
        b"198.51.100.9," + b"10.1.1.1," * 99 + b"10.2.2.2",
        "10.1.1.1:0",
    ),
    "one more than are looked at": (
        PROXY,
        b"198.51.100.9," + b"10.1.1.1," * 31 + b"10.2.2.2",
        "10.1.1.1:0",
    ),
    "more commas than are looked at": (PROXY, b"198.51.100.9" + b"," * 9000, PROXY),
    "no address of a connection": ("", b"198.51.100.9", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_the_client(name: str) -> None:
    connection, line, expected = CASES[name]
    assert TrustedProxies(NETWORKS).client(connection, line) == expected


def told(rig: Rig) -> tuple[str, str]:
    line = rig.lines("access")[-1]
    return line["remote"], line["proxy"]


def test_the_log_has_the_client_and_its_proxy() -> None:
    rig = Rig(trusted_proxies=["192.0.2.1/32"])
    lines = ("X-Forwarded-For: 1.1.1.1", "Accept: */*", "x-forwarded-for: 198.51.100.9")
    rig.connect().says(get("/x", *lines))
    assert told(rig) == ("198.51.100.9:0", "192.0.2.1:50000")
    rig.connect("192.0.2.2").says(get("/x", *lines))
    assert told(rig) == ("192.0.2.2:50000", "")
    rig.connect().says(b"no head at all\r\n\r\n")  # nothing in it is believed
    assert told(rig) == ("192.0.2.1:50000", "")
    rig.install()
    rig.connect().says(get("/x", *lines))
    assert told(rig) == ("192.0.2.1:50000", "")


def test_a_failed_authentication_is_told_with_the_client() -> None:
    rig = Rig(mode="sigv4", sigv2="all", trusted_proxies=["192.0.2.1"])
    signature = ("Authorization: AWS AKIDX:hush", "x-amz-date: 20260101T000000Z")
    rig.connect().says(get("/b-b/k", *signature, "X-Forwarded-For: 198.51.100.9"))
    (event,) = rig.lines("event")
    assert event["remote"] == "198.51.100.9:0"


def test_what_a_proxy_says_gives_nobody_another_share() -> None:
    """A client whose proxy passes on what it wrote would otherwise be as many as it likes."""
    pool = {"max_connections": 2, "max_waiters": 4, "identity_percent": 50}
    rig = Rig(trusted_proxies=["192.0.2.1/32"], pool=pool)
    for number in range(6):
        rig.connect().says(get("/b-b/k", f"X-Forwarded-For: 198.51.100.{number}"))
    refused = [line["code"] for line in rig.lines("access")]
    assert refused == ["SlowDown"] * len(refused) != []
