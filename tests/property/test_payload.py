"""The aws-chunked reader against framers written by others, however the bytes are cut."""

from __future__ import annotations

import io

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.payload.checksum_blanking import BlankedChecksums
from fastpath.payload.chunks import ChunkParser
from fastpath.payload.filters import StreamedBody
from fastpath.payload.framers import ChunkFramer, PlainFramer
from fastpath.payload.trailers import Trailers
from tests.doubles.aws_chunked import cut, frame

bodies = st.one_of(
    st.binary(max_size=40),
    st.integers(0, 200_000).map(lambda size: bytes(range(256)) * (size // 256 + 1)),
)
cuts = st.lists(st.integers(1, 30_000), max_size=12)


def pieces(wire: bytes, sizes: list[int]) -> list[bytes]:
    found = []
    for size in sizes:
        found.append(wire[:size])
        wire = wire[size:]
    return [piece for piece in (*found, wire) if piece]


def filtered(body: StreamedBody, parts: list[bytes]) -> tuple[bytes, bytes]:
    """What came out before the last piece, and all."""
    early = b"".join(body.feed(part, False) for part in parts[:-1])
    return early, early + body.feed(parts[-1], True)


def unframed(decoded: int, declared: bytes | None) -> StreamedBody:
    trailers = Trailers(declared, allowed=True, signed=False)
    checks = [trailers.check] if trailers.check is not None else []
    return StreamedBody(decoded, False, None, trailers, checks, PlainFramer(decoded))


@given(bodies, cuts, st.integers(8192, 50_000))
def test_botocores_framing_comes_out_as_it_went_in(
    data: bytes, sizes: list[int], chunk: int
) -> None:
    name = "x-amz-checksum-crc32"
    wrapper = AwsChunkedWrapper(io.BytesIO(data), Crc32Checksum, name, chunk)
    parts = pieces(wrapper.read(), sizes)
    early, whole = filtered(unframed(len(data), name.encode()), parts)
    assert whole == data
    assert len(early) < len(data) or not data  # the end waits


@given(bodies, cuts)
def test_frames_made_here_are_as_long_as_said_and_read_back(data: bytes, sizes: list[int]) -> None:
    name = b"x-amz-checksum-crc32"
    wrapper = AwsChunkedWrapper(io.BytesIO(data), Crc32Checksum, name.decode())
    wire = wrapper.read()
    trailers = Trailers(name, allowed=True, signed=False)
    framer = ChunkFramer(len(data), signed=False, trailer=trailers.shape)
    assert trailers.check is not None
    body = StreamedBody(len(data), False, None, trailers, [trailers.check], framer)
    early, framed = filtered(body, pieces(wire, sizes))
    assert len(framed) == framer.length
    assert not early.endswith(b"\r\n\r\n") or early != framed
    assert filtered(unframed(len(data), name), [framed])[1] == data


class Nobody:
    """A receiver that looks at nothing."""

    def chunk_begins(self, size: int, signature: bytes) -> None: ...

    def chunk_data(self, data: bytes) -> None: ...

    def chunk_ends(self) -> None: ...


noise = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from([b"\r\n", b"0", b"5", b"hello", b"fffffffff", b";chunk-signature=", b"a:b"])
    ).map(b"".join),
)


@given(noise, st.booleans(), st.integers(1, 7))
def test_anything_is_read_or_refused_the_same_way_however_it_is_cut(
    raw: bytes, signed: bool, size: int
) -> None:
    def read(parts: list[bytes]) -> object:
        parser = ChunkParser(Nobody(), signed=signed)
        try:
            for part in parts:
                parser.feed(part)
            return parser.finish()
        except S3Error as error:
            return error.kind

    assert read([raw]) == read(cut(raw, size))


@pytest.mark.parametrize("opening", [b"", b"0\r\n"], ids=["chunk line", "trailers"])
@pytest.mark.parametrize("signed", [False, True])
def test_no_more_is_kept_than_a_line_and_the_trailers(opening: bytes, signed: bool) -> None:
    parser = ChunkParser(Nobody(), signed=signed)
    if signed and opening:
        opening = b"0;chunk-signature=" + b"0" * 64 + b"\r\n"
    parser.feed(opening)

    def feed(count: int) -> None:
        for _ in range(count):
            parser.feed(b"a")

    with pytest.raises(S3Error):
        feed(5000)


@given(st.lists(st.integers(8192, 8200), max_size=3), st.integers(1, 5000))
def test_the_doubles_framing_comes_out_as_it_went_in(lengths: list[int], size: int) -> None:
    chunks = [b"d" * length for length in lengths]
    data = b"".join(chunks)
    wire = frame(chunks, None, []).wire()
    assert filtered(unframed(len(data), None), cut(wire, size))[1] == data


MEMBERS = st.sampled_from(
    [
        "<Part>",
        "</Part>",
        "<ETag>&quot;e&quot;</ETag>",
        "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>",
        "<s:ChecksumSHA512 a='1'>AAAA</s:ChecksumSHA512>",
        "<ChecksumSHA512/>",
        "<ChecksumSHA512></ChecksumSHA512 >",
        "<Checks>a</Checks>",
        "< <Checksum",
        " ",
    ]
)


@given(st.lists(MEMBERS, max_size=8), st.lists(st.integers(0, 200), max_size=6))
def test_members_are_blanked_however_the_document_is_cut(
    members: list[str], cuts: list[int]
) -> None:
    """P1: the length stays, other bytes stay, and no piece of a checksum goes up early."""
    document = "".join(members).encode()
    at = sorted({min(cut, len(document)) for cut in cuts})
    pieces = [document[a:b] for a, b in zip([0, *at], [*at, len(document)], strict=True)]

    def through(*parts: bytes) -> bytes:
        body = BlankedChecksums((), lambda algorithm: algorithm == b"crc32")
        *early, last = parts
        return b"".join([*[body.feed(part, False) for part in early], body.feed(last, True)])

    whole = through(document)
    assert through(*pieces) == whole
    assert len(whole) == len(document)
    expected = "".join(
        " " * len(member) if "ChecksumSHA512" in member else member for member in members
    )
    if "< <Checksum" not in members:
        assert whole == expected.encode()
