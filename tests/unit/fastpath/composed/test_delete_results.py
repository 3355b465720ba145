"""Which row of a target's answer to a DeleteObjects is whose."""

from __future__ import annotations

import pytest

from fastpath.composed.delete_results import Row, failure_of, read_rows, rows_of

V1, V2 = {"Key": "k", "VersionId": "1"}, {"Key": "k", "VersionId": "2"}
K = {"Key": "k"}


def numbers(entries: list[dict[str, str]], rows: list[dict[str, str]]) -> list[int | None]:
    """The number of the row of each entry."""
    given = [Row(False, row) for row in rows]
    found = rows_of(entries, given)
    return [None if row is None else [row is one for one in given].index(True) for row in found]


@pytest.mark.parametrize(
    ("entries", "rows", "wanted"),
    [
        ([V1, V2, K], [K, V2, V1], [2, 1, 0]),
        ([V1], [V2], [None]),  # it has deleted another version
        ([V1], [K], [0]),  # it leaves versions out
        ([K], [V1], [0]),  # it says which one it has deleted
        ([V1, V2], [K, K], [0, 1]),
        ([V1, V2], [K], [0, None]),
        ([V1, K], [K], [None, 0]),  # the row of the other entry
        ([K, K], [K], [0, 0]),
        ([K, K], [K, K], [0, 1]),
        ([K, {"Key": "l"}], [K, K], [0, None]),
        ([K], [{"Key": "K"}, {"Key": " k"}], [None]),
        ([K], [], [None]),
    ],
)
def test_whose_row_it_is(
    entries: list[dict[str, str]], rows: list[dict[str, str]], wanted: list[int | None]
) -> None:
    assert numbers(entries, rows) == wanted


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        (b"<r><Deleted><Key> k&amp;\n</Key></Deleted></r>", [Row(False, {"Key": " k&\n"})]),
        (b"<s:r xmlns:s='x'><s:Error><s:Key>k</s:Key></s:Error></s:r>", [Row(True, K)]),
        (b"<r><Deleted><Key>k</Key></Deleted><Error><Code>c</Code></Error></r>", [Row(False, K)]),
        (b"<r><Other><Key>k</Key></Other></r>", []),
        (b"<r><Deleted><Key>k</Key></Deleted>", []),  # it is cut off
        (b"<r><Deleted><Object><Key>k</Key></Object></Deleted></r>", []),
        (b"", []),
    ],
)
def test_rows_that_are_read(document: bytes, wanted: list[Row]) -> None:
    assert list(read_rows(document)) == wanted


def test_an_error_without_a_code_is_an_internal_one() -> None:
    assert failure_of(Row(True, K)).code == "InternalError"
