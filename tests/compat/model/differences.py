"""Says what a store does otherwise than S3, whoever asks it, and so what the machine leaves out.

Each was seen at the store itself, past the gateway (SeaweedFS 4.48, moto 5), or stands in
docs/lakefs.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.compat.model.layouts import KEYS, LAKE, MAX_KEY, MOTO, OTHER, SEA, Place

if TYPE_CHECKING:
    from tests.compat.model.across import Condition, How

SEAWEED = (SEA, OTHER)
MIN_PART = 5 << 20  # of all parts but the last, on SeaweedFS; the others are told to take any


def of_key(place: Place, key: str) -> str | None:
    """Why no request names this key there."""
    name = place.up(key)
    if place.target in SEAWEED:
        if name.endswith("/"):
            return "SeaweedFS keeps a directory there, and not the bytes"
        if max(len(segment.encode()) for segment in name.split("/")) > 255:
            return "SeaweedFS has files, whose names end at 255 bytes"
        if any(other.startswith(f"{key}/") for other in KEYS):
            return "SeaweedFS has a directory there too: 404 to a Range, 500 to a Complete"
    if place.target == MOTO and "\n" in name:
        return "moto's web framework has no path with a line break: 404"
    return None


def of_part(place: Place, *, was_sent: bool) -> str | None:
    """Why a part is not sent."""
    if place.target in SEAWEED and was_sent:
        return "SeaweedFS lists a part that was sent again as often as it was sent"
    return None


def of_copy(place: Place, origin: Place, how: How, *, had_tags: bool) -> str | None:
    """Why an object is not copied: only if the store itself makes the copy.

    had_tags: an object of this name, at any time.
    """
    if place.target != MOTO or origin.target != MOTO:
        return None
    if how.if_absent:
        return "moto copies onto an object in spite of If-None-Match"
    if how.condition is not None and how.condition[0] in ("IfMatch", "IfUnmodifiedSince"):
        return "moto copies in spite of these conditions"
    if had_tags and how.tags is None:
        return "moto's copy of an object without tags has those of an older one of its name"
    return None


def of_copied_part(
    place: Place, origin: Place, condition: Condition | None, *, is_there: bool, is_within: bool
) -> str | None:
    """Why a part is not copied: only if the store itself makes it.

    is_there: its source; is_within: so is its range.
    """
    if place.target != origin.target or place.target == LAKE:
        return None
    if not is_within:
        return "moto takes any range, and SeaweedFS has another code for one that is too long"
    if place.target == MOTO and not is_there:
        return "moto answers 404 without a document"
    if place.target == MOTO and condition is not None:
        return "moto copies parts in spite of conditions"
    return None


def of_missing_source(place: Place, origin: Place) -> tuple[str, ...]:
    """Codes of a part whose source is missing, if the gateway cannot ask what they mean."""
    # lakeFS has this one for all that is wrong with a source.
    return ("InvalidArgument",) if place.target == origin.target == LAKE else ()


def of_digest(place: Place, origin: Place) -> str | None:
    """Why the ETag of a copied part is not the digest of its bytes."""
    if place.target == origin.target and place.target in SEAWEED:
        return "SeaweedFS has that of the source"
    return None


def of_marker(place: Place, prefix: str, delimiter: str, marker: str | None) -> str | None:
    """Why no list begins there."""
    if marker is None:
        return None
    if len(place.up(marker).encode()) > MAX_KEY:
        return "a marker that grows too long is refused: a unit test has it"
    if place.target == LAKE and "\n" in marker:
        return "lakeFS cuts markers at line breaks, so they are refused"
    if delimiter and marker.startswith(prefix) and delimiter in marker[len(prefix) :]:
        return "stores differ about a marker inside a common prefix"
    return of_key(place, marker)


def of_first_version(place: Place, delimiter: str, size: int) -> str | None:
    """Why a list is asked for in version 2."""
    if place.target == MOTO and delimiter:
        return "moto escapes no CommonPrefixes in version 1, though it says so"
    if place.target in SEAWEED and size < len(KEYS) and not place.key_prefix:
        return "SeaweedFS escapes no NextMarker in version 1, so that a + becomes a space"
    if place.target == MOTO and size < len(KEYS):
        return "moto's NextMarker is a digest"
    return None


def of_batch(target: str, keys: list[str]) -> str | None:
    """Why a DeleteObjects is refused as a whole."""
    if target == LAKE and any("\n" in key for key in keys):
        return "lakeFS cuts keys of a batch at line breaks"
    return None


def of_uploads(target: str) -> str | None:
    """Why a list of uploads below a prefix is refused."""
    return "lakeFS filters uploads by no prefix" if target == LAKE else None


def shows_empty_directories(target: str) -> bool:
    """Whether lists show directories in which nothing is left."""
    return target in SEAWEED
