"""A repair line is read back as it was written, and a client's text never is one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpath.ipc.process_identity import ProcessIdentity
from fastpath.ipc.repair_lines import BEGUN, DONE, LEFT, LeftUpload, RepairLine, written
from gateway.repair.found_lines import repair_line
from tests.property.depth import EXAMPLES

_NAMES = st.binary(min_size=1, max_size=1024)
_WORDS = st.from_regex(r"[a-zA-Z0-9_.-]{1,63}", fullmatch=True)
_NUMBERS = st.integers(0, 2**63)
_LINES = st.builds(
    RepairLine,
    st.builds(LeftUpload, _WORDS, _NAMES, _NAMES, _NAMES, _WORDS),
    st.sampled_from([BEGUN, DONE, LEFT]),
    st.floats(0, 2**36),
    st.integers(0, 255),
    st.builds(ProcessIdentity, _WORDS, _NUMBERS, _NUMBERS, _NUMBERS),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(_LINES, st.text(st.characters(exclude_characters='{"'), max_size=40))
def test_a_line_is_read_back_behind_any_prefix(line: RepairLine, prefix: str) -> None:
    text = written(line).decode("ascii")
    assert text.isprintable()
    assert repair_line(prefix + text) == line
