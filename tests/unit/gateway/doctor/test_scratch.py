"""Where doctor may write, as the command line names it."""

from __future__ import annotations

import pytest

from gateway.doctor.scratch import Place


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("s3/bucket", Place("s3", "bucket", "")),
        ("lakefs/repo/main/", Place("lakefs", "repo", "main/")),
        ("s3/bucket/a/b", Place("s3", "bucket", "a/b")),
        ("bucket", None),
        ("/bucket", None),
        ("s3/", None),
        ("", None),
    ],
)
def test_places(word: str, place: Place | None) -> None:
    assert Place.parse(word) == place
