"""Whatever stands in `X-Forwarded-For`: an address, and nobody chooses that of another."""

from __future__ import annotations

import ipaddress

from hypothesis import example, given
from hypothesis import strategies as st

from fastpath.http.forwarded_for import TrustedProxies

NETWORKS = ["10.0.0.0/8", "2001:db8::/32"]
PROXIES = TrustedProxies(NETWORKS)
TRUSTED = tuple(map(ipaddress.ip_network, NETWORKS))
CONNECTION = "10.0.0.1:50000"

texts = st.binary(max_size=40) | st.text("0123456789.:[]abf%, \t", max_size=40).map(str.encode)
addresses = st.ip_addresses().map(str) | st.sampled_from(["10.1.1.1", "2001:db8::1", "203.0.113.5"])
members = st.lists(addresses.map(str.encode) | texts, max_size=40).map(b", ".join)


def is_trusted(address: str) -> bool:
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return any((mapped or found) in network for network in TRUSTED)


@given(texts | members)
@example(b"," * 16000)
@example(b"[" * 16000)
def test_it_is_the_connection_or_an_address_with_a_port(value: bytes) -> None:
    found = PROXIES.client(CONNECTION, value)
    address, _, port = found.rpartition(":")
    ipaddress.ip_address(address)
    assert 0 <= int(port) <= 65535
    assert PROXIES.client("203.0.113.9:1", value) == "203.0.113.9:1"


@given(st.lists(addresses, min_size=1, max_size=20), texts)
def test_nothing_left_of_a_stranger_counts(chain: list[str], written: bytes) -> None:
    """What a client writes stands to the left of its own address, which a proxy has added."""
    value = ", ".join(chain).encode()
    found = PROXIES.client(CONNECTION, value)
    if any(not is_trusted(address) for address in chain):
        assert not is_trusted(found.rpartition(":")[0])
        assert PROXIES.client(CONNECTION, written + b"," + value) == found
    else:
        assert ipaddress.ip_address(found.rpartition(":")[0]) == ipaddress.ip_address(chain[0])
