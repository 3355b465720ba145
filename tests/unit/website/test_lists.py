"""Lists of CommonMark, written as Python-Markdown reads them."""

from __future__ import annotations

import pytest

from website.lists import written_anew


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("text\n- a\n- b\n", "text\n\n- a\n- b\n"),
        ("- a\n  b\nc\n", "- a\n    b\n    c\n"),
        ("- a\n  - b\n    c\n- d\n", "- a\n    - b\n        c\n- d\n"),
        ("1. a\n   b\n10. c\n    d\n", "1. a\n    b\n10. c\n    d\n"),
        ("- a\n\n  ```\n  x\n    y\n  ```\n", "- a\n\n    ```\n    x\n      y\n    ```\n"),
        ("- a\n\n  b\n- c\n", "- a\n\n    b\n\n- c\n"),
        ("- a\n\n- b\n", "- a\n\n- b\n"),
        ("```\ntext\n- a\n  b\n```\n", "```\ntext\n- a\n  b\n```\n"),
        ("a * b\n-1 c\n", "a * b\n-1 c\n"),
    ],
    ids=[
        "behind a paragraph",
        "continued, and lazily",
        "nested",
        "numbered",
        "with a block of code",
        "with a second paragraph",
        "with room between",
        "not in a block of code",
        "not a list",
    ],
)
def test_each_level_is_indented_by_four(written: str, found: str) -> None:
    assert written_anew(written) == found
