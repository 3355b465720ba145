"""A composed operation for tests: copies an object from one target to another.

    COPIES, in `WorkerState.composed`: a CopyObject of any key reads the source at `first` and
    writes it at `generic`, both under the path of the request.

Rules: the whole object never waits in memory; the reply is a CopyObjectResult document, and a
success only if the target has taken every byte and said so.
"""

from __future__ import annotations

from fastpath.composed.operation import Composed, ComposedRequest, Operations
from fastpath.errors import NO_SUCH_KEY, SERVICE_UNAVAILABLE, S3Error
from fastpath.s3.xml_writer import DECLARATION, element
from fastpath.upstream.own_request import OwnRequest

SOURCE, DESTINATION = "first", "generic"


async def copy_object(request: ComposedRequest) -> None:
    """GET at one target, PUT at the other, while the client waits for the document."""
    request.reply.announce_document()
    await request.reply.document(200, await _copy(request))


async def _copy(request: ComposedRequest) -> bytes:
    address = request.admitted.upstream_address
    source = OwnRequest("GetObject", b"GET", address)
    async with request.call(source, request.destination(SOURCE)) as reading:
        found = await reading.answer()
        if found.status == 404:
            raise S3Error(NO_SUCH_KEY)
        length = found.content_length
        if found.status != 200 or length is None:
            raise S3Error(SERVICE_UNAVAILABLE)
        copy = OwnRequest("PutObject", b"PUT", address, length=length)
        async with request.call(copy, request.destination(DESTINATION)) as writing:
            async for piece in reading.body():
                if not await writing.send(piece):
                    break
            stored = await writing.answer()
            answer = await writing.document(65536)
            if stored.status != 200 or answer is None or writing.bytes_in != length:
                raise S3Error(SERVICE_UNAVAILABLE)
    tag = element("ETag", stored.fields.get(b"etag", b"").decode())
    return f"{DECLARATION}<CopyObjectResult>{tag}</CopyObjectResult>".encode()


COPIES: Operations = {"CopyObject": Composed(copy_object, is_always=True)}
