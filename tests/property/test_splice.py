"""Byte identity of spliced bodies on real sockets: every threshold, cut and place of a break.

What the other side got is a prefix of what was sent, and the end looks good only if it is all.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doubles.http1 import get, put
from tests.doubles.splicing import LiveWorker, drained, head_and_rest, read, reset, send
from tests.property.depth import DEPTH

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "uvloop": uvloop.new_event_loop,
    "asyncio": asyncio.new_event_loop,
}
THRESHOLDS = (1, 100_000, 1 << 62)  # every body, large ones, none
SIZES = st.sampled_from([0, 1, 4095, 65_535, 65_536, 65_537, 262_144, 300_001, 1_500_000])
CUTS = st.lists(st.sampled_from([1, 100, 1460, 65_536, 200_000]), max_size=6)


# Every threshold on the loop that is served with; on the other one what concerns a loop.
WORKERS = [
    pytest.param((loop, at), marks=() if loop == "uvloop" or at == 1 else pytest.mark.slow)
    for loop in LOOPS
    for at in THRESHOLDS
]


@pytest.fixture(scope="module", params=WORKERS, ids=str)
def worker(request: pytest.FixtureRequest) -> Iterator[LiveWorker]:
    loop, splice_bytes = request.param
    with LiveWorker(LOOPS[loop], splice_bytes) as running:
        yield running


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def beside(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: %d\r\n\r\n" % len(body)


# More than all socket buffers on the way (6 MB to receive and 4 MB to send, each) and a pipe hold.
ENOUGH = 40_000_000

PATIENT = settings(
    max_examples=10 * DEPTH,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@PATIENT
@given(sizes=st.lists(SIZES, min_size=1, max_size=3), cuts=CUTS, receive_buffer=st.just(0))
def test_answers_arrive_whole_one_after_the_other(
    worker: LiveWorker, sizes: list[int], cuts: list[int], receive_buffer: int
) -> None:
    with worker.client(receive_buffer) as client:
        target: socket.socket | None = None
        for size in sizes:
            body = content(size)
            client.sendall(get("/b-b/k", "Connection: keep-alive"))
            target = target or worker.target()
            assert head_and_rest(target)[0].startswith(b"GET /b-b/k ")
            writing = beside(lambda t=target, b=body: send(t, answer(b) + b, cuts))  # type: ignore[misc]
            head, rest = head_and_rest(client)
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert read(client, size, rest) == body
            writing.join()
        assert target is not None
        target.close()


@PATIENT
@given(sizes=st.lists(SIZES, min_size=1, max_size=3), cuts=CUTS, digest=st.booleans())
def test_uploads_arrive_whole_one_after_the_other(
    worker: LiveWorker, sizes: list[int], cuts: list[int], digest: bool
) -> None:
    with worker.client() as client:
        target: socket.socket | None = None
        for size in sizes:
            body = content(size)
            lines = [f"x-amz-content-sha256: {hashlib.sha256(body).hexdigest()}"] if digest else []
            whole = put("/b-b/k", body, *lines)
            writing = beside(lambda w=whole: send(client, w, cuts))  # type: ignore[misc]
            target = target or worker.target()
            head, rest = head_and_rest(target)
            assert b"content-length: %d" % size in head.lower()
            assert read(target, size, rest) == body
            writing.join()
            target.sendall(answer(b""))
            assert head_and_rest(client)[0].startswith(b"HTTP/1.1 200 OK")
        assert target is not None
        target.close()


@PATIENT
@given(
    size=SIZES.filter(bool), part=st.floats(0, 1, exclude_max=True), cuts=CUTS, hard=st.booleans()
)
def test_an_answer_that_breaks_off_never_looks_whole(
    worker: LiveWorker, size: int, part: float, cuts: list[int], hard: bool
) -> None:
    body = content(size)
    sent = body[: int(size * part)]
    with worker.client() as client:
        client.sendall(get("/b-b/k"))
        target = worker.target()
        head_and_rest(target)

        def break_off() -> None:
            send(target, answer(body) + sent, cuts)
            reset(target) if hard else target.close()

        writing = beside(break_off)
        try:
            head, rest = head_and_rest(client)
        except (AssertionError, ConnectionResetError):
            writing.join()
            return  # nothing of it was seen
        got = read(client, size, rest) if head.startswith(b"HTTP/1.1 200") else b""
        writing.join()
        assert len(got) < size
        assert body.startswith(got)


@PATIENT
@given(
    size=SIZES.filter(bool), part=st.floats(0, 1, exclude_max=True), cuts=CUTS, hard=st.booleans()
)
def test_an_upload_that_breaks_off_never_looks_whole(
    worker: LiveWorker, size: int, part: float, cuts: list[int], hard: bool
) -> None:
    whole = put("/b-b/k", content(size))
    head_size = len(whole) - size
    with worker.client() as client:  # leaves a kept connection behind
        client.sendall(get("/b-b/k"))
        target = worker.target()
        head_and_rest(target)
        target.sendall(answer(b""))
        head_and_rest(client)
        send(client, whole[: head_size + int(size * part)], cuts)
        if hard:
            reset(client)
    worker.wait_for_no_client()
    arrived = drained(target)
    target.close()
    got = arrived.partition(b"\r\n\r\n")[2]
    assert len(got) < size
    assert content(size).startswith(got)


def test_the_kernel_moves_what_it_may(worker: LiveWorker) -> None:
    size, before = 5_000_000, worker.spliced()
    with worker.client() as client:
        client.sendall(get("/b-b/k"))
        target = worker.target()
        head_and_rest(target)
        body = content(size)
        writing = beside(lambda: send(target, answer(body) + body, []))
        _, rest = head_and_rest(client)
        assert read(client, size, rest) == body
        writing.join()
        target.close()
    moved = worker.spliced() - before
    if worker.worker.snapshot.limits.splice_bytes > size:
        assert moved == 0
    else:
        assert 0 < moved < size  # the first bytes come with the head


@pytest.fixture(params=LOOPS)
def forced(request: pytest.FixtureRequest) -> Iterator[LiveWorker]:
    """Every body is spliced that may be."""
    with LiveWorker(LOOPS[request.param], 1) as running:
        yield running


def test_a_slow_reader_gets_all_of_it(forced: LiveWorker) -> None:
    size = ENOUGH
    body = content(size)
    with forced.client(receive_buffer=4096) as client:
        client.sendall(get("/b-b/k"))
        target = forced.target()
        head_and_rest(target)
        sent = threading.Event()

        def answer_all() -> None:
            target.sendall(answer(body) + body)
            sent.set()

        writing = beside(answer_all)
        _, rest = head_and_rest(client)
        assert not sent.wait(0.2), "the gateway took more than it could pass on"
        assert read(client, size, rest) == body
        writing.join()
        target.close()


def test_a_slow_target_gets_all_of_it(forced: LiveWorker) -> None:
    size = ENOUGH
    body = content(size)
    with forced.client() as client:
        sent = threading.Event()

        def upload_all() -> None:
            client.sendall(put("/b-b/k", body))
            sent.set()

        writing = beside(upload_all)
        target = forced.target()
        _, rest = head_and_rest(target)
        assert not sent.wait(0.2), "the gateway took more than it could pass on"
        assert read(target, size, rest) == body
        writing.join()
        target.sendall(answer(b""))
        assert head_and_rest(client)[0].startswith(b"HTTP/1.1 200 OK")
        target.close()


def test_an_answer_before_the_end_of_the_upload_reaches_the_client(forced: LiveWorker) -> None:
    body = content(1_500_000)
    whole = put("/b-b/k", body)
    with forced.client() as client:
        client.sendall(whole[:1_000_000])
        target = forced.target()
        head, rest = head_and_rest(target)
        read(target, 500_000, rest)
        target.sendall(b"HTTP/1.1 507 Full\r\nContent-Length: 4\r\n\r\nfull")
        head, rest = head_and_rest(client)
        assert head.startswith(b"HTTP/1.1 507 Full")
        assert b"Connection: close" in head
        send(client, whole[1_000_000:], [])
        assert read(client, 5, rest) == b"full"  # and then the end
        target.close()


def test_a_client_that_leaves_ends_the_answer(forced: LiveWorker) -> None:
    body = content(ENOUGH)
    client = forced.client()
    client.sendall(get("/b-b/k"))
    target = forced.target()
    head_and_rest(target)
    broken: list[bool] = []

    def answer_all() -> None:
        try:
            target.sendall(answer(body) + body)
        except (ConnectionResetError, BrokenPipeError):
            broken.append(True)

    writing = beside(answer_all)
    head_and_rest(client)
    client.close()
    writing.join()
    assert broken
    forced.wait_for_no_client()
    target.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_without_pipes_everything_is_copied(loop: str) -> None:
    body = content(1_500_000)
    with LiveWorker(LOOPS[loop], 1, max_pipes=0) as worker, worker.client() as client:
        writing = beside(lambda: client.sendall(put("/b-b/k", body)))
        target = worker.target()
        _, rest = head_and_rest(target)
        assert read(target, len(body), rest) == body
        writing.join()
        target.sendall(answer(b""))
        head_and_rest(client)
        assert worker.spliced() == 0
        target.close()


def test_a_request_behind_an_upload_is_not_part_of_it(forced: LiveWorker) -> None:
    first, second = content(1_500_000), content(300_001)
    with forced.client() as client:
        whole = put("/b-b/first", first) + put("/b-b/second", second)
        writing = beside(lambda: client.sendall(whole))
        target = forced.target()
        for name, body in (("first", first), ("second", second)):
            head, rest = head_and_rest(target)
            assert head.startswith(f"PUT /b-b/{name} ".encode())
            assert read(target, len(body), rest) == body
            assert drained(target) == b""
            target.setblocking(True)
            target.sendall(answer(b""))
            assert head_and_rest(client)[0].startswith(b"HTTP/1.1 200 OK")
        writing.join()
        target.close()


@pytest.fixture(params=LOOPS)
def hasty(request: pytest.FixtureRequest) -> Iterator[LiveWorker]:
    """Everything is spliced, and nobody is waited for longer than two seconds."""
    with LiveWorker(
        LOOPS[request.param],
        1,
        timeouts={"idle_seconds": 2.0},
        send_idle_seconds=2.0,
        body_idle_seconds=2.0,
    ) as running:
        yield running


def test_a_reader_that_takes_nothing_is_cut_off(hasty: LiveWorker) -> None:
    body = content(ENOUGH)
    with hasty.client(receive_buffer=4096) as client:
        client.sendall(get("/b-b/k"))
        target = hasty.target()
        head_and_rest(target)
        writing = beside(lambda: send(target, answer(body) + body, []))
        hasty.wait_for_no_client()
        writing.join()  # the target's connection is broken off as well
        assert len(read(client, ENOUGH)) < ENOUGH
        target.close()


def test_a_target_that_falls_silent_breaks_the_answer_off(hasty: LiveWorker) -> None:
    body = content(1_500_000)
    with hasty.client() as client:
        client.sendall(get("/b-b/k"))
        target = hasty.target()
        head_and_rest(target)
        writing = beside(lambda: target.sendall(answer(body) + body[:1_000_000]))
        _, rest = head_and_rest(client)
        assert read(client, len(body), rest) == body[:1_000_000]  # and then the end
        writing.join()
        target.close()


def test_a_client_that_falls_silent_is_told_so(hasty: LiveWorker) -> None:
    whole = put("/b-b/k", content(1_500_000))
    with hasty.client() as client:
        client.sendall(whole[:1_000_000])
        target = hasty.target()
        head_and_rest(target)
        head, rest = head_and_rest(client)
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"<Code>RequestTimeout</Code>" in rest + read(client, 1000)
        assert len(read(target, 1_500_000)) < 1_500_000
        target.close()


def test_a_target_that_takes_nothing_is_503(hasty: LiveWorker) -> None:
    body = content(ENOUGH)
    with hasty.client() as client:
        writing = beside(lambda: send(client, put("/b-b/k", body), []))
        target = hasty.target()
        head_and_rest(target)
        head, _ = head_and_rest(client)
        assert head.startswith(b"HTTP/1.1 503 ")
        writing.join()
        target.close()
