"""Calls to targets about buckets and objects of the client.

    place    a bucket or an object by the client's names, and the decision about it
             -> rights at the target -> names there -> translation -> Call

Rules: such a call is checked and translated as a request of the client's own would be, because the
gateway's credentials sign it; a target gets its own names alone, and an error of it has the
client's; what a target says of the gateway's own signature reaches no client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_from_bytes

from fastpath.dialects import translate
from fastpath.dialects.translation import ClientRequest, Translation
from fastpath.errors import (
    ACCESS_DENIED,
    NO_SUCH_BUCKET,
    NO_SUCH_KEY,
    PRECONDITION_FAILED,
    SERVICE_UNAVAILABLE,
    Kind,
    S3Error,
    Source,
)
from fastpath.renaming.addresses import upstream_key
from fastpath.renaming.answers import error_for_client
from fastpath.renaming.error_names import ELEMENTS, ErrorNames
from fastpath.renaming.names import Names
from fastpath.request.target_checks import check_target
from fastpath.request.uploads import SealedIds
from fastpath.routing.chain import Decision
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.sealed_ids import UploadOrigin
from fastpath.s3.addressing import Address
from fastpath.s3.error_documents import read_error
from fastpath.s3.operations import OPERATIONS, request_shape
from fastpath.signing.sigv4.verify import UNSIGNED_PAYLOAD
from fastpath.upstream.own_request import OwnRequest

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.http.head import ResponseHead
    from fastpath.routing.snapshot import Target
    from fastpath.upstream.call import Call

Fields = Sequence[tuple[bytes, bytes]]

MAX_ERROR = 65536  # bytes of an error document; AWS's have less than 1 KiB

_SAME_NAMES = Rewrite()
# Elements of an error document that are of the target and its request, not of the error.
_OF_THE_ANSWER = frozenset(
    {"Code", "Message", "RequestId", "HostId", "Resource", "Region", "Endpoint"}
)
# For an answer without a document: to HEAD, or of a store that writes none.
_BY_STATUS: Mapping[int, Kind] = {
    403: ACCESS_DENIED,
    404: NO_SUCH_KEY,
    412: PRECONDITION_FAILED,
}


class Place(NamedTuple):
    """A bucket, or an object in it, by the client's names, and where it is.

    key: empty for the bucket.
    """

    bucket: bytes
    key: bytes
    decision: Decision

    @property
    def rewrite(self) -> Rewrite:
        """How the target names it."""
        return self.decision.rewrite or _SAME_NAMES


def call_at(  # noqa: PLR0913 (what a request is)
    request: ComposedRequest,
    operation: str,
    place: Place,
    *,
    query: Fields = (),
    headers: Fields = (),
    payload: bytes = UNSIGNED_PAYLOAD,
    length: int | None = None,
    translation: Translation | None = None,
    names: Names | None = None,
    is_for_document: bool = False,
) -> Call:
    """Return a call for S3's `operation` on `place`; use it with `async with`. Raises S3Error.

    query: decoded, without the operation's own sub-resource unless it has a value.
    length: of the body; None: it has none.
    translation: that `translation_of` made before, if the operation looks at it.
    names: for its errors, of a request that names more than its place.
    is_for_document: its answer is large, and read here.
    """
    to = request.destination(place.decision.target)

    def named(error: S3Error) -> S3Error:
        return client_error(request, error, place, names)

    address = _upstream_address(place)
    (_, method, sub_resource), _ = request_shape(OPERATIONS[operation])
    if sub_resource != b"-" and sub_resource not in (name for name, _ in query):
        query = [(sub_resource, b""), *query]
    caller, fields = request.caller, dict(headers)
    check_target(to.target, OPERATIONS[operation], caller, address, query, fields)
    if translation is None and to.target.profile.dialect is not None:
        try:
            translation = translation_of(
                operation, place, to.target, query=query, headers=headers, length=length
            )
        except S3Error as error:
            raise named(error) from None
    own = OwnRequest(
        operation,
        method,
        address,
        _encoded(query),
        headers,
        payload,
        length,
        is_for_document=is_for_document,
    )
    return request.call(own, to, translation, named)


def translation_of(
    operation: str,
    place: Place,
    target: Target,
    *,
    query: Fields = (),
    headers: Fields = (),
    length: int | None = None,
) -> Translation:
    """Return how a call is translated for its target.

    Raises S3Error, with the target's names: it cannot be sent.
    """
    address = _upstream_address(place)
    fields = dict(headers)
    if length is not None:
        fields[b"content-length"] = b"%d" % length
    return translate(
        target.profile.dialect,
        ClientRequest(
            operation,
            address.bucket,
            address.key,
            address,
            query,
            fields,
            headers,
            target.region,
            address.path,
            target.drops,
            place.rewrite.is_part,
        ),
    )


async def error_of(
    request: ComposedRequest,
    call: Call,
    head: ResponseHead,
    place: Place,
    names: Names | None = None,
) -> S3Error:
    """Return the error that a target has answered, with the client's names. Raises CallFailed."""
    document = await call.document(MAX_ERROR)
    return error_in(request, head.status, document or b"", place, names)


def error_in(
    request: ComposedRequest,
    status: int,
    document: bytes,
    place: Place,
    names: Names | None = None,
) -> S3Error:
    """Return the error in a document, with the client's names; without one, what `status` says.

    A redirect is no error of the client's: the gateway has followed those that it can.
    """
    found = read_error(document) if document else {}
    code = found.get("Code", "")
    if not code or 300 <= status < 400:
        kind = _BY_STATUS.get(status, SERVICE_UNAVAILABLE)
        if kind is NO_SUCH_KEY and not place.key:
            kind = NO_SUCH_BUCKET
        key = place.key.decode("utf-8", "replace")
        extras = (("Key", key),) if kind is NO_SUCH_KEY else ()
        return S3Error(kind, *extras, retry_after=int(kind is SERVICE_UNAVAILABLE))
    status = status if status >= 400 else 500  # S3 writes an error into a 200 that has begun
    shown = ErrorNames(names or names_of(request, place), (), ())
    found |= {name: shown.renamed(name, text) for name, text in found.items() if name in ELEMENTS}
    kind = Kind(status, code, found.get("Message", code), Source.UPSTREAM)
    others = [pair for pair in found.items() if pair[0] not in _OF_THE_ANSWER]
    return S3Error(kind, *others, retry_after=int(status == 503))


def client_error(
    request: ComposedRequest, error: S3Error, place: Place, names: Names | None = None
) -> S3Error:
    """Put the client's names into an error that has the target's; the same error."""
    return error_for_client(error, names or names_of(request, place))


def _upstream_address(place: Place) -> Address:
    """Return the target's address of a place. Raises S3Error: it has no name there."""
    rewrite = place.rewrite
    bucket = rewrite.bucket_up(place.bucket)
    if not place.key:
        return Address(bucket, b"", path_style=True, path=b"/" + bucket)
    key = upstream_key(place.key, rewrite)
    path = b"/" + bucket + b"/" + quote_from_bytes(key, safe="/~").encode()
    return Address(bucket, key, path_style=True, path=path)


def _encoded(query: Fields) -> bytes:
    return b"&".join([_quoted(name) + b"=" + _quoted(value) for name, value in query])


def _quoted(text: bytes) -> bytes:
    """Encode a name or a value; most are words, which need it not."""
    if text.replace(b"-", b"").isalnum():
        return text
    return quote_from_bytes(text, safe="").encode()


def names_of(request: ComposedRequest, place: Place) -> Names:
    """Return the client's names and the target's of a place."""
    address = _upstream_address(place)
    origin = UploadOrigin(place.decision.target, address.bucket, place.decision.rewrite)
    return Names(
        place.bucket,
        place.key,
        address.bucket,
        address.key,
        place.rewrite,
        SealedIds(request.snapshot.sealer, origin, place.bucket),
    )
