"""The headers that a copy gives to the object it makes. Pure.

    x-amz-metadata-directive   COPY: those of the source; REPLACE: those of the request
    x-amz-tagging-directive    COPY: the tags of the source; REPLACE: those of the request
    x-amz-checksum-algorithm   that of the request, else the source's

Rules: API reference, CopyObject. Storage class, encryption, rights, locks and the redirect of a
web site are never the source's: the request has them, or the destination's defaults count. Of the
request's other headers none goes on: one that S3 ignores on a copy may change what a PutObject does
(`x-amz-write-offset-bytes`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from fastpath.errors import INVALID_ARGUMENT, NOT_IMPLEMENTED, S3Error
from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX
from fastpath.s3.metadata import METADATA_PREFIX

METADATA_DIRECTIVE = b"x-amz-metadata-directive"
TAGGING_DIRECTIVE = b"x-amz-tagging-directive"
TAGGING = b"x-amz-tagging"
_ALGORITHM = HEADER_PREFIX + b"algorithm"

# System-defined metadata that a user controls (User Guide, "Working with object metadata").
_SYSTEM_METADATA = (
    b"cache-control",
    b"content-disposition",
    b"content-encoding",
    b"content-language",
    b"content-type",
    b"expires",
)
_DEFAULT_TYPE = b"binary/octet-stream"  # S3's; other stores guess one from the bytes, or the key
# Headers of each request about the destination, and about its data.
OF_EACH_REQUEST = (b"x-amz-expected-bucket-owner", b"x-amz-request-payer")
_CLIENTS_KEY = b"x-amz-server-side-encryption-customer-"
OF_THE_DATA = (
    *OF_EACH_REQUEST,
    *(_CLIENTS_KEY + part for part in (b"algorithm", b"key", b"key-md5")),
)
# Headers of a copy that a PutObject and a CreateMultipartUpload have too, with the same meaning.
_OF_THE_OBJECT = frozenset(
    {
        *OF_THE_DATA,
        b"x-amz-acl",
        b"x-amz-grant-full-control",
        b"x-amz-grant-read",
        b"x-amz-grant-read-acp",
        b"x-amz-grant-write-acp",
        b"x-amz-object-lock-legal-hold",
        b"x-amz-object-lock-mode",
        b"x-amz-object-lock-retain-until-date",
        b"x-amz-server-side-encryption",
        b"x-amz-server-side-encryption-aws-kms-key-id",
        b"x-amz-server-side-encryption-bucket-key-enabled",
        b"x-amz-server-side-encryption-context",
        b"x-amz-storage-class",
        b"x-amz-website-redirect-location",
    }
)
CONDITIONS = (b"if-match", b"if-none-match")

Fields = Sequence[tuple[bytes, bytes]]


def check_directives(fields: Mapping[bytes, bytes]) -> None:
    """Refuse a directive that S3 does not have. Raises S3Error InvalidArgument."""
    for name, what in ((METADATA_DIRECTIVE, "metadata"), (TAGGING_DIRECTIVE, "tagging")):
        value = fields.get(name, b"COPY")
        if value not in (b"COPY", b"REPLACE"):
            raise S3Error(
                INVALID_ARGUMENT,
                ("ArgumentName", name.decode()),
                ("ArgumentValue", value.decode("latin-1")),
                message=f"Unknown {what} directive.",
            )
    algorithm = fields.get(_ALGORITHM)
    if algorithm is not None and algorithm.lower() not in ALGORITHMS:
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", _ALGORITHM.decode()),
            ("ArgumentValue", algorithm.decode("latin-1")),
            message="Value for x-amz-checksum-algorithm header is invalid.",
        )


def copies_tags(fields: Mapping[bytes, bytes]) -> bool:
    """Whether the copy has the tags of its source."""
    return fields.get(TAGGING_DIRECTIVE, b"COPY") == b"COPY"


def new_headers(request: Fields, source: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return the headers of the new object but for its tags and checksum.

    `request`: of the copy; `source`: of the answer to a read. Raises S3Error: the source has
    metadata that no header can hold.
    """
    sent = dict(request)
    headers = [field for field in sent.items() if field[0] in _OF_THE_OBJECT]
    replaces = sent.get(METADATA_DIRECTIVE) == b"REPLACE"
    described = sent if replaces else source
    if not replaces and source.get(b"x-amz-missing-meta", b"0") != b"0":
        raise S3Error(
            NOT_IMPLEMENTED,
            ("Header", "x-amz-missing-meta"),
            message="The source has metadata that cannot be read in headers.",
        )
    headers += [
        (name, _without_framing(name, described[name]))
        for name in _SYSTEM_METADATA
        if described.get(name)
    ]
    headers += [field for field in described.items() if field[0].startswith(METADATA_PREFIX)]
    if not described.get(b"content-type"):
        headers.append((b"content-type", _DEFAULT_TYPE))
    headers += [(name, sent[name]) for name in CONDITIONS if sent.get(name)]
    if sent.get(TAGGING_DIRECTIVE) == b"REPLACE" and sent.get(TAGGING):
        headers.append((TAGGING, sent[TAGGING]))
    return [field for field in headers if field[1] or field[0].startswith(METADATA_PREFIX)]


def only(names: Collection[bytes], headers: Fields) -> list[tuple[bytes, bytes]]:
    """Return the headers that have one of these names."""
    return [field for field in headers if field[0] in names]


def wanted_checksum(
    request: Mapping[bytes, bytes], found: tuple[bytes, bytes] | None
) -> bytes | None:
    """Return the algorithm of the checksum that the new object is to have; None: none.

    `found`: algorithm and value of the source's.
    """
    asked = request.get(_ALGORITHM)
    if asked is not None:
        return asked.lower()
    return found[0] if found is not None else None


def _without_framing(name: bytes, value: bytes) -> bytes:
    """Leave `aws-chunked` out of a Content-Encoding: some stores keep it with the object."""
    if name != b"content-encoding" or b"aws-chunked" not in value:
        return value
    codings = [coding.strip() for coding in value.split(b",")]
    return b",".join(coding for coding in codings if coding not in (b"", b"aws-chunked"))
