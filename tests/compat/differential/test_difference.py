"""Through the gateway minus direct is empty, on a real store and on moto.

Rules: both plays of the script run against the same store process, one after the other; every
difference that `normal` does not name fails, and the failure shows them all.
"""

from __future__ import annotations

import difflib
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fastpath.renaming.members import WITHOUT_RENAMED_BUCKETS, is_about_whole_bucket
from fastpath.s3.operations import OPERATIONS
from gateway.demo.seaweed import Keys
from tests.compat.differential.player import Answer, Player
from tests.compat.differential.script import REFUSED_HERE, SCRIPT, Call
from tests.compat.live import CLIENT, identity, reader
from tests.compat.shared import Store
from tests.process.harness import Gateway

MOTO = Keys("moto-key", "moto-secret")


def differences(direct: list[Answer], through: list[Answer]) -> list[str]:
    """For every call that was answered differently: its name and the lines that differ."""
    found = []
    for one, other in zip(direct, through, strict=True):
        lines = difflib.unified_diff(one.lines(), other.lines(), "direct", "through", n=0)
        if changed := [line for line in lines if not line.startswith(("---", "+++", "@@"))]:
            found.append("\n".join([one.call, *changed]))
    return found


def minus(store: str, keys: Keys, gateway: Gateway) -> tuple[list[Answer], list[str]]:
    """Play the script twice; return the direct answers and the differences."""
    stem = f"plain-{uuid.uuid4().hex[:12]}"
    direct = Player(store, keys, f"{stem}-d", store).play(SCRIPT)
    through = Player(gateway.url, CLIENT, f"{stem}-g", store).play(SCRIPT)
    return direct, differences(direct, through)


@pytest.fixture
def before_moto(moto: str) -> Iterator[Gateway]:
    target = {
        "profile": "s3",
        "endpoint": moto,
        "region": "us-east-1",
        "access_key_id": MOTO.access_key_id,
        "secret_access_key": MOTO.secret_access_key,
    }
    document = {
        "auth": {"identities": [identity("compat", CLIENT)]},
        "targets": {"moto": target},
        "routing": {"default_target": "moto"},
    }
    with Gateway.start(document) as running:
        yield running


def test_the_script_is_long_enough_and_mostly_understood(moto: str) -> None:
    """A control: a script that a store refuses as a whole would compare nothing."""
    answers = Player(moto, MOTO, f"plain-{uuid.uuid4().hex[:12]}", moto).play(SCRIPT)
    assert len(answers) >= 150
    assert sum(200 <= answer.status < 300 for answer in answers) >= 90
    assert {200, 204, 206, 304, 400, 404, 409, 412, 416} <= {answer.status for answer in answers}


@pytest.mark.timeout(180)
def test_nothing_differs_on_a_real_store(gateway: Gateway, stores: dict[str, Store]) -> None:
    direct, differing = minus(stores["s3"].endpoint, stores["s3"].keys, gateway)
    assert sum(200 <= answer.status < 300 for answer in direct) >= 70
    assert not differing, "\n\n".join(differing)


@pytest.mark.timeout(180)
def test_nothing_differs_on_moto(moto: str, before_moto: Gateway) -> None:
    direct, differing = minus(moto, MOTO, before_moto)
    assert sum(200 <= answer.status < 300 for answer in direct) >= 90
    assert not differing, "\n\n".join(differing)


# Tokens are the store's own, which SeaweedFS makes of its keys. What a list repeats of the request
# the gateway encodes if EncodingType says so, as AWS does; SeaweedFS never does.
OF_A_LIST = re.compile(
    r"(?<!<CommonPrefixes>)<(ContinuationToken|NextContinuationToken|Prefix|Marker|StartAfter)>"
    r".*?</\1>"
)
# Of the error that HEAD has no room for: it would name the longer key.
LENGTH = re.compile(r"^(content-length): \d+$", re.IGNORECASE)


def is_of_objects(call: Call) -> bool:
    """Whether a part of a bucket has the operation: it has no settings, and is not made."""
    operation = call.method.title().replace("_", "")
    assert operation in OPERATIONS
    refused = operation in WITHOUT_RENAMED_BUCKETS or is_about_whole_bucket(operation)
    return not refused and operation != "CreateBucket"


def of_a_part(answer: Answer) -> Answer:
    """The answer without what a part of a bucket may have otherwise."""
    headers = answer.headers
    if answer.status >= 400 and not answer.body:
        headers = [LENGTH.sub(r"\1", line) for line in headers]
    return replace(answer, headers=headers, body=OF_A_LIST.sub(r"<\1/>", answer.body))


@pytest.mark.timeout(180)
def test_nothing_differs_in_a_renamed_bucket(gateway: Gateway, stores: dict[str, Store]) -> None:
    """Directly in a bucket, and through the gateway in a part of another one."""
    store, stem = stores["s3"], f"plain-{uuid.uuid4().hex[:12]}"
    for name in (f"{stem}-d", f"{stem}-g"):
        reader(store).create_bucket(Bucket=name)
    script = [call for call in SCRIPT if is_of_objects(call)]
    direct = Player(store.endpoint, store.keys, f"{stem}-d", store.endpoint).play(script)
    through = Player(gateway.url, CLIENT, f"renamed-{stem}-g", store.endpoint).play(script)
    assert sum(200 <= answer.status < 300 for answer in direct) >= 60
    differing = differences(*([of_a_part(one) for one in play] for play in (direct, through)))
    assert not differing, "\n\n".join(differing)


def test_what_is_refused_before_the_target_has_its_status_and_code(
    gateway: Gateway, stores: dict[str, Store]
) -> None:
    store, stem = stores["s3"], f"plain-{uuid.uuid4().hex[:12]}"
    direct = Player(store.endpoint, store.keys, f"{stem}-d", store.endpoint).play(REFUSED_HERE)
    through = Player(gateway.url, CLIENT, f"{stem}-g", store.endpoint).play(REFUSED_HERE)
    assert [refusal(answer) for answer in through] == [refusal(answer) for answer in direct]
    assert [refusal(answer)[1] for answer in through[1:]] == [
        "InvalidBucketName",
        "BadDigest",
        "BadDigest",
        *["NoSuchUpload"] * 3,
    ]


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body.partition("<Code>")[2].partition("</Code>")[0]


def test_the_comparison_sees_a_changed_status_header_and_body() -> None:
    one = Answer("call", 200, ["ETag: a"], "text")
    for other in (
        Answer("call", 204, ["ETag: a"], "text"),
        Answer("call", 200, ["etag: a"], "text"),
        Answer("call", 200, ["ETag: a"], "texT"),
    ):
        assert differences([one], [one]) == []
        assert len(differences([one], [other])) == 1
