"""Whatever stands in a file, loading gives a model or located problems, never an exception."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastpath.routing.snapshot import load_snapshot
from gateway import config
from gateway.config import schema
from gateway.config.compile import compile_snapshot
from tests.property.depth import DEPTH

KEYS = sorted(
    {
        name
        for section in vars(schema).values()
        if isinstance(section, type) and issubclass(section, schema.Section)
        for name in section.model_fields
    }
    | {*schema.Rule.model_fields, "archive", "<<", "nonsense", "a b"}
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70000),
    st.floats(allow_nan=True),
    st.sampled_from(
        [
            *("s3", "lakefs", "archive", "*", "a-*", "[", "GET", "read", "auto", "sigv4", "open"),
            *(
                "127.0.0.1:0",
                "[::1]:1",
                "http://h",
                "https://h",
                "${HOME}",
                "${",
                "",
                "on",
                "generic",
            ),
        ]
    ),
    st.text(max_size=6),
)
DATA = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=25,
)
VALID = (Path(__file__).parents[1] / "seed" / "files" / "02-basic-config.yaml").read_text()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configuration") / "gateway.yaml"


def load(file: Path, raw: bytes) -> None:
    file.write_bytes(raw)
    loaded = config.load({"config": str(file)}, {"HOME": "x"})
    for problem in loaded.problems:
        assert problem.place.line >= 1
        assert problem.place.column >= 1
        assert "\n" not in problem.format()
    if loaded.model is None:
        assert any(problem.severity == "error" for problem in loaded.problems)
    else:
        load_snapshot(1, {"instance": "", **compile_snapshot(loaded.model, {})})


COMMON = settings(
    max_examples=60 * DEPTH,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@given(data=st.dictionaries(st.sampled_from(KEYS), DATA, max_size=6))
@COMMON
def test_any_data_under_known_keys(file: Path, data: dict[str, object]) -> None:
    load(file, yaml.safe_dump(data, allow_unicode=True).encode())


@given(st.data())
@COMMON
def test_the_seeds_file_with_any_damage(file: Path, data: st.DataObject) -> None:
    raw = bytearray(VALID.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        length = data.draw(st.integers(0, 3))
        raw[at : at + length] = data.draw(
            st.sampled_from(
                [b"", b"\t", b"\n", b": ", b"- ", b"*", b"&a ", b"{", b"]", b'"', b"\xff", b"#"]
            )
        )
    load(file, bytes(raw))
