"""The numeric limits of the data path, each with its reason or precedent.

`router.limits`, `targets.*.pool` and `targets.*.timeouts` in the configuration have exactly these
fields, because their sections are made from these classes.

Rules: a client that reaches a limit gets an S3 error; sizes are bytes, times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

ZERO_IS_OFF: Final = {"zero": "off"}  # metadata of a limit that may be 0: there is none then
PERCENT: Final = {"percent": "100"}  # of one that is a part of something


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one worker towards its clients."""

    header_section_bytes: int = 16384
    """The most that the header section of a request may have; more is refused. AWS stops at 8 KiB;
    the gateway's own signature and a session token ride on top upstream, and other stores take
    more, so the gateway allows twice that.
    """
    request_line_bytes: int = 16384
    """The most that a request line may have. A key is at most 1,024 bytes, 3,072 when every byte is
    escaped; a presigned query with a session token adds up to 4 KiB.
    """
    header_count: int = 1000
    """How many header lines a request may have. S3 limits bytes, not lines: as many as 16 KiB can
    hold of metadata (`x-amz-meta-a: b`), and their cost is a fixed one for each line.
    """
    head_seconds: float = 20.0
    """Absolute time for one request head, from its first byte (nginx's `client_header_timeout`:
    60).
    """
    handshake_seconds: float = 10.0
    """Absolute time for one TLS handshake, from the accept: two round trips and one signature, with
    room for two lost packets (retransmitted after 1 and 3 seconds); asyncio's own is 60.
    """
    idle_seconds: float = 75.0
    """How long a kept-alive connection may be silent (nginx's `keepalive_timeout`: 75). SDK pools
    retry a connection that was closed under them, load balancers close at 60 to 350.
    """
    connection_seconds: float = field(default=3600.0, metadata=ZERO_IS_OFF)
    """Age at which a client's connection is closed after an answer that says so (`Connection:
    close`), so that clients that never close spread again over workers, and over gateways that came
    later ([how](processes.md#connections-and-workers)). Each connection has up to 10 % more or
    less. One handshake an hour costs nothing (nginx's `keepalive_time` and AWS's ALB: 1 hour).
    """
    connection_requests: int = field(default=0, metadata=ZERO_IS_OFF)
    """How many requests a client's connection serves before it is closed in the same way. Off,
    because the busiest connection would pay most handshakes (nginx's `keepalive_requests` is 1000:
    at 5,000 a second five times a second).
    """
    body_idle_seconds: float = 20.0
    """How long a client may send nothing of a body that it has begun. AWS answers RequestTimeout
    after about 20 seconds.
    """
    send_idle_seconds: float = 60.0
    """How long a client may take nothing of its answer. One that takes less than the minimum rate
    over this long is gone, too.
    """
    minimum_rate_bytes: int = 256
    """Bytes in a second. A body that comes slower, measured after `minimum_rate_grace_seconds`,
    holds a slot for nothing, and its connection is closed.
    """
    minimum_rate_grace_seconds: float = 60.0
    """How long a body may be slower than `minimum_rate_bytes`."""
    connections: int = 20000
    """Connections of clients that one worker has at a time; half the usual 65,536 descriptor limit,
    as each may hold an upstream. A worker never has more than its descriptors have room for (the
    hard limit when the gateway was started).
    """
    pipeline_bytes: int = 65536
    """Bytes of pipelined requests kept while an earlier one runs; then reading stops."""
    requests_per_turn: int = 4
    """Pipelined requests, of all connections together, that are served in one turn of the worker's
    loop; the rest waits for the next, and connections take turns ([how](processes.md#fair-turns)).
    A refusal takes about 0.2 ms: other connections wait a millisecond.
    """
    refused_requests: int = field(default=32, metadata=ZERO_IS_OFF)
    """Requests in a row whose sender is not known (no signature, a wrong one, no S3 request at all)
    after which the connection ends, with `Connection: close`. Behind an ingress many users share a
    connection: any request of somebody who is known begins the count anew.
    """
    discard_bytes: int = 1048576
    """Bytes read and thrown away after an early refusal, so that the client sees the answer and not
    a reset (RFC 9112 section 9.6); then the connection closes.
    """
    discard_seconds: float = 5.0
    """How long bytes are thrown away in that way."""
    write_buffer_bytes: int = 65536
    """High-water mark of what waits to be written to a client under TLS: as much, and what a read
    brings, is all that waits there for a slow one. A fast one never sees it: what the kernel takes
    at once is not buffered. Of plain http, whose bodies the kernel may move, nothing more is read
    while anything waits.
    """
    splice_bytes: int = 65536
    """When so much of a body is left that nobody has to look at, the kernel moves it, between legs
    of plain http; below, copying is as cheap ([ADR 5](adr/0005-splice.md) has the measurement).
    """
    form_gather_bytes: int = 8388608
    """As much of a browser's form, from its file on, is buffered rather than streamed, because only
    its end shows how long the file is: a photograph with a submit button after it (AWS's own
    example). In a longer form the file must be the last field.
    """
    forms_bytes: int = 67108864
    """Bytes of all forms that one worker buffers at a time; one more gets SlowDown at once. Each is
    in memory twice while it is sent, so that forms never take more than 128 MiB.
    """
    ignored_body_bytes: int = 65536
    """A body where S3 has none (GET, HEAD, DELETE, a copy) is read, verified and not sent to the
    target; a longer one than this is refused with 400, and the connection closes. Nobody needs it:
    one read's worth.
    """
    cached_buckets: int = 10000
    """Buckets whose rules are kept in the LRU; a plan is shared by all buckets of the same shape.
    """


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Limits of one worker towards one target (`targets.*.pool`)."""

    max_connections: int = 256
    """Connections of one worker to the target that are open at once; botocore's default client pool
    is 10, tuned ones use 100.
    """
    max_waiters: int = 1024
    """Requests that may wait for a connection; more get SlowDown at once."""
    identity_percent: int = field(default=90, metadata=PERCENT)
    """Of the connections and of the places of waiters that others leave, an identity may have so
    much, or the address of a client that is none (100: all): of 256 connections 230 when it is
    alone, 23 and 2 those who come then, and as many as it once both are busy ([ADR
    10](adr/0010-shares.md)).
    """
    wait_seconds: float = 10.0
    """How long a request may wait for a connection."""
    idle_seconds: float = 15.0
    """A kept connection unused for this long is closed; AWS S3 closes its side at about 20 seconds.
    """


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Times of one target (`targets.*.timeouts`)."""

    connect_seconds: float = 5.0
    """How long a connection to the target may take to be made, its handshake included."""
    response_seconds: float = 120.0
    """From the last byte of the request to the end of the answer's head, whatever comes of it or
    before it (1xx); a CompleteMultipartUpload or a server-side copy may think for a long time (SDKs
    read for 60 s).
    """
    idle_seconds: float = 60.0
    """Silence inside an answer's body."""
