"""`fastpath.http.hop_by_hop`: which lines of a head are for one hop only."""

from __future__ import annotations

import pytest

from fastpath.http.hop_by_hop import (
    HOP_BY_HOP,
    fields_of_connection,
    header_line_pattern,
    without_hop_by_hop,
)

ALWAYS = header_line_pattern(HOP_BY_HOP)


def test_connection_lists_fields_of_one_hop() -> None:
    assert fields_of_connection({}) == frozenset()
    listed = fields_of_connection({b"connection": b"Keep-Alive, X-Hop ,,\tfoo"})
    assert listed == {b"keep-alive", b"x-hop", b"foo"}


def test_connection_cannot_take_what_is_meant_for_the_far_end() -> None:
    assert fields_of_connection({b"connection": b"content-length, host, etag"}) == {b"etag"}


@pytest.mark.parametrize(
    "name", [b"Connection", b"KEEP-ALIVE", b"Proxy-Authorization", b"te", b"Upgrade", b"Trailer"]
)
def test_lines_of_the_hop_go_whatever_their_case(name: bytes) -> None:
    section = b"\r\nA: 1\r\n" + name + b": x, y\r\nB: 2"
    assert without_hop_by_hop(section, ALWAYS, {}) == b"\r\nA: 1\r\nB: 2"


def test_names_are_whole_and_lines_stay_byte_for_byte() -> None:
    section = b"\r\nTea: te: x\r\nx-te:\t y \r\nNote: connection: close\r\n\xe9: \xff"
    assert without_hop_by_hop(section, ALWAYS, {}) == section


def test_what_connection_lists_goes_with_its_metacharacters_taken_literally() -> None:
    section = b"\r\nx.a: 1\r\nxxa: 2\r\nx-b: 3"
    assert without_hop_by_hop(section, ALWAYS, {b"connection": b"x.a"}, [b"x-b"]) == b"\r\nxxa: 2"


@pytest.mark.parametrize("count", [3, 2500])
def test_nothing_is_compiled_of_what_a_peer_lists(count: int) -> None:
    """A4: neither time nor memory for an expression of its names."""
    listed = b", ".join(b"x%d" % at for at in range(count))
    before = header_line_pattern.cache_info()
    section = b"\r\na: 1\r\nX0: 2\r\nx%d: 3\r\nb: 4" % (count - 1)
    assert without_hop_by_hop(section, ALWAYS, {b"connection": listed}) == b"\r\na: 1\r\nb: 4"
    assert header_line_pattern.cache_info() == before
