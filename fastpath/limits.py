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

    # AWS stops at 8 KiB of header section; the gateway's own signature and a session token ride on
    # top upstream, and other stores take more, so the gateway allows twice that.
    header_section_bytes: int = 16384
    # A key is at most 1,024 bytes, 3,072 when every byte is escaped; a presigned query with a
    # session token adds up to 4 KiB.
    request_line_bytes: int = 16384
    # S3 limits bytes, not lines: as many as 16 KiB can hold of metadata (`x-amz-meta-a: b`), and
    # their cost is a fixed one for each line.
    header_count: int = 1000
    # Absolute time for one request head, from its first byte (nginx client_header_timeout 60).
    head_seconds: float = 20.0
    # Absolute time for one TLS handshake, from the accept: two round trips and one signature, with
    # room for two lost packets (retransmitted after 1 and 3 seconds); asyncio's own is 60.
    handshake_seconds: float = 10.0
    # How long a kept-alive connection may be silent (nginx keepalive_timeout 75). SDK pools retry
    # a connection that was closed under them, load balancers close at 60 to 350.
    idle_seconds: float = 75.0
    # Age at which a connection is closed after an answer that says so, so that clients that never
    # close spread again over workers, and over gateways that came later; 10 % more or less for
    # each; 0: never. One handshake an hour costs nothing (nginx keepalive_time and ALB: 1 hour).
    connection_seconds: float = field(default=3600.0, metadata=ZERO_IS_OFF)
    # The same after so many requests; 0: never. Off, because the busiest connection would pay most
    # handshakes (nginx keepalive_requests is 1000: at 5,000 a second five times a second).
    connection_requests: int = field(default=0, metadata=ZERO_IS_OFF)
    # AWS answers RequestTimeout after about 20 seconds without a byte of the body.
    body_idle_seconds: float = 20.0
    # A reader that takes nothing for this long is gone, and so is one that takes less than the
    # minimum rate over this long.
    send_idle_seconds: float = 60.0
    # Bodies slower than this, measured after `minimum_rate_grace_seconds`, hold a slot for nothing.
    minimum_rate_bytes: int = 256
    minimum_rate_grace_seconds: float = 60.0
    # Connections per worker; half the usual 65,536 descriptor limit, as each may hold an upstream.
    connections: int = 20000
    # Bytes of pipelined requests kept while an earlier one runs; then reading stops.
    pipeline_bytes: int = 65536
    # Pipelined requests, of all connections together, that are served in one turn of the loop; the
    # rest waits for the next. A refusal takes 0.2 ms: other connections wait a millisecond.
    requests_per_turn: int = 4
    # Requests in a row whose sender is not known (no signature, a wrong one, no S3 request at all)
    # after which the connection ends; 0: never. Behind an ingress many users share a connection,
    # and any request of somebody who is known begins the count anew.
    refused_requests: int = field(default=32, metadata=ZERO_IS_OFF)
    # Bytes read and thrown away after an early refusal, so that the client sees the answer and not
    # a reset (RFC 9112 section 9.6); then the connection closes.
    discard_bytes: int = 1048576
    discard_seconds: float = 5.0
    # High-water mark of what waits to be written to a client under TLS: as much, and what a read
    # brings, is all that waits there for a slow one. A fast one never sees it: what the kernel
    # takes at once is not buffered. What the kernel may move is not kept in the process: there,
    # nothing is read while anything waits.
    write_buffer_bytes: int = 65536
    # When so much of a body is left that nobody has to look at, the kernel moves it, between legs
    # of plain http; below, copying is as cheap (docs/adr/0005-splice.md has the measurement).
    splice_bytes: int = 65536
    # As much of a browser's form, from its file on, is buffered rather than streamed, because only
    # its end shows how long the file is: a photograph with a submit button after it (AWS's own
    # example). In a longer form the file must be the last field.
    form_gather_bytes: int = 8388608
    # Bytes of all forms that one worker buffers at a time; one more gets SlowDown at once. Each is
    # in memory twice while it is sent, so that forms never take more than 128 MiB.
    forms_bytes: int = 67108864
    # A body where S3 has none (GET, HEAD, DELETE, a copy) is read, verified and not sent on; a
    # longer one is refused. Nobody needs it: one read's worth.
    ignored_body_bytes: int = 65536
    # Buckets kept in the LRU; a plan is shared by all buckets of the same shape.
    cached_buckets: int = 10000


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Limits of one worker towards one target (`targets.*.pool`)."""

    # Connections open at once; botocore's default client pool is 10, tuned ones use 100.
    max_connections: int = 256
    # Requests that may wait for a connection; more get SlowDown at once.
    max_waiters: int = 1024
    # Of the connections and of the places of waiters that others leave, an identity may have so
    # much, or the address of a client that is none (100: all): of 256 connections 230 when it is
    # alone, 23 and 2 those who come then, and as many as it once both are busy (ADR 10).
    identity_percent: int = field(default=90, metadata=PERCENT)
    # How long one may wait.
    wait_seconds: float = 10.0
    # A kept connection unused for this long is closed; AWS S3 closes its side at about 20 seconds.
    idle_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Times of one target (`targets.*.timeouts`)."""

    connect_seconds: float = 5.0
    # From the last byte of the request to the end of the answer's head, whatever comes of it or
    # before it (1xx); a CompleteMultipartUpload or a server-side copy may think for a long time
    # (SDKs read for 60 s).
    response_seconds: float = 120.0
    # Silence inside an answer's body.
    idle_seconds: float = 60.0
