"""CreateBucket of a bucket that is a part of another one at the target: never sent."""

from __future__ import annotations

import pytest

from tests.doubles.http1 import Answer, put, read_answers, read_requests
from tests.doubles.rules import Rewriting, Rule
from tests.doubles.wire import Peer, Rig


def started(rewrite: Rewriting, profile: str = "generic") -> tuple[Rig, Peer]:
    rig = Rig(profile=profile, rules=(Rule(1, 1, "b-b", "first", rewrite=rewrite),))
    client = rig.connect()
    client.says(put("/b-b", b"<CreateBucketConfiguration/>"))
    return rig, client


def sent(rig: Rig) -> list[bytes]:
    heads = [head for peer in rig.targets for head, _ in read_requests(peer.heard)]
    return [head.partition(b" HTTP")[0] for head in heads]


def answer_of(client: Peer) -> Answer:
    (answer,) = read_answers(client.heard, [b"PUT"], ended=client.ended)
    return answer


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 409, "BucketAlreadyOwnedByYou"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", 501, "NotImplemented"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", 403, "AccessDenied"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", 503, "ServiceUnavailable"),
    ],
)
@pytest.mark.parametrize("profile", ["generic", "lakefs"])
def test_it_is_answered_by_whether_the_bucket_is_there(
    profile: str, reply: bytes, status: int, code: str
) -> None:
    rig, client = started(Rewriting("whole", "p/"), profile)
    assert sent(rig) == [b"HEAD /whole"]
    rig.target.says(reply)
    answer = answer_of(client)
    assert (answer.status, answer.code) == (status, code)
    assert b"whole" not in answer.body
    assert (b"<BucketName>b-b</BucketName>" in answer.body) is (status == 409)
    assert sent(rig) == [b"HEAD /whole"]
    assert not rig.defects


def test_a_bucket_with_another_name_alone_is_made() -> None:
    rig, _ = started(Rewriting("whole"))
    assert sent(rig) == [b"PUT /whole"]
