"""The whole table of what may be sent a second time."""

from __future__ import annotations

import pytest

from fastpath.upstream.retry import may_resend


def resend(
    method: bytes = b"GET",
    *,
    stale: bool = True,
    body_taken: bool = False,
    tries: int = 1,
    **fields: str,
) -> bool:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in fields.items()}
    return may_resend(method, named, stale=stale, body_taken=body_taken, tries=tries)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"])
def test_idempotent_methods_are_sent_again(method: bytes) -> None:
    assert resend(method)


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"WHATEVER"])
def test_others_never(method: bytes) -> None:
    assert not resend(method)


@pytest.mark.parametrize("method", [b"GET", b"PUT"])
def test_only_what_closed_in_the_moment_of_reuse_once_and_with_its_body_untouched(
    method: bytes,
) -> None:
    assert not resend(method, stale=False)
    assert not resend(method, body_taken=True)
    assert not resend(method, tries=2)


@pytest.mark.parametrize(
    "condition", ["if_match", "if_none_match", "if_modified_since", "if_unmodified_since"]
)
def test_a_conditional_write_never(condition: str) -> None:
    for method in (b"PUT", b"DELETE"):
        assert not resend(method, **{condition: "x"})
    for method in (b"GET", b"HEAD", b"OPTIONS"):
        assert resend(method, **{condition: "x"})
