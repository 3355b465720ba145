"""The corpus of trailers: through the pure reader, and on the rig however the bytes come."""

from __future__ import annotations

import pytest

from fastpath.errors import S3Error
from fastpath.http.head import parse_request_head
from fastpath.limits import Limits
from fastpath.payload.body_plan import Context, plan_body
from fastpath.routing.profiles import PROFILES
from fastpath.s3.operations import OPERATIONS
from tests.corpus.trailers import Case, cases
from tests.doubles.aws_chunked import cut
from tests.doubles.http1 import get, read_requests
from tests.doubles.signing import RawClient
from tests.doubles.uploads import sealed
from tests.doubles.wire import KEY, Rig
from tests.unit.fastpath.payload.test_payload_matrix import is_whole, say

CASES = cases()
IDS = [case.name for case in CASES]
HEAD = parse_request_head(get("/b/k"), Limits())
CLIENT = RawClient("gateway.test", 80, *KEY)
WHOLE = 1 << 20  # bytes
each = pytest.mark.parametrize("case", CASES, ids=IDS)


def read(case: Case, size: int) -> bytes:
    """What would go up of the body, by the reader alone."""
    fields = {name.encode(): value.encode() for name, value in case.fields.items()}
    context = Context(
        fields,
        OPERATIONS["UploadPart" if case.part else "PutObject"],
        fields[b"x-amz-content-sha256"],
        None,
        PROFILES["generic"],
        False,
    )
    body_plan = plan_body(HEAD, context)
    assert body_plan is not None
    *pieces, last = cut(case.wire, size) or [b""]
    early = [body_plan.filter.feed(piece, False) for piece in pieces]
    return b"".join([*early, body_plan.filter.feed(last, True)])


@each
def test_the_reader_alone(case: Case) -> None:
    for size in (1, 7, WHOLE):
        if case.accepted is not None:
            assert read(case, size) == case.accepted, size
            continue
        with pytest.raises(S3Error) as caught:
            read(case, size)
        error = caught.value
        assert (error.kind.status, error.kind.code) == (case.expect["status"], case.expect["code"])
        assert error.message == case.expect["message"]


@each
def test_on_the_rig(case: Case) -> None:
    """The reader has seen every cut: whole to a target that takes trailers, by bytes to another."""
    for bucket, size in (("b-b", WHOLE), ("b-b", 3), ("g-b", 1)):
        on_the_rig(case, bucket, size)


def on_the_rig(case: Case, bucket: str, size: int) -> None:
    rig = Rig(mode="sigv4")
    upload_id = sealed("u", bucket, "key", target="generic" if bucket == "g-b" else "first")
    head, body = case.upload(CLIENT, f"/{bucket}/key", upload_id)
    answer, heard = say(rig, head, body, lambda wire: cut(wire, size))
    if case.accepted is None:
        assert (answer.status, answer.code) == (case.expect["status"], case.expect["code"])
        assert f"<Message>{case.expect['message']}</Message>".encode() in answer.body
        assert not any(is_whole(one) for one in heard)
        return
    assert answer.status == 200
    ((_, sent),) = [pair for one in heard for pair in read_requests(one)]
    assert case.accepted in sent if bucket == "b-b" else case.accepted == sent


def test_names_are_told_apart() -> None:
    assert len(set(IDS)) == len(IDS)
