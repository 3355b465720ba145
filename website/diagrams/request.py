"""Draws the path of a request: from the client's bytes to the target, and back."""

from __future__ import annotations

from typing import Final

from website.picture import Picture

# Each step: its name, what is found out, and what a client gets if that fails.
STEPS: Final = (
    ("head", "one meaning only, within limits", "400, connection closed"),
    ("address", "bucket and key, from path or host", "400 InvalidURI"),
    ("operation", "which of S3's operations it is", "501 NotImplemented"),
    ("identity", "who signed, and that it is true", "403 SignatureDoesNotMatch"),
    ("permission", "may it do this, to this bucket?", "403 AccessDenied"),
    ("rule, decision", "target, and the names there", "501 NotImplemented"),
    ("upstream request", "signed with the target's keys", "503 SlowDown"),
)
_LEFT, _WIDTH, _HEIGHT, _STEP = 70, 284, 46, 62
_REFUSED = 386
_TOP = 112
_MIDDLE = _LEFT + _WIDTH // 2


def draw() -> Picture:
    """Returns the picture."""
    end = _TOP + len(STEPS) * _STEP
    picture = Picture("The path of a request", end + 122)
    picture.box((_LEFT, 12, _WIDTH, 40), "client", kind="client")
    picture.frame((16, 70, 568, end - 60), "worker")
    picture.words((_REFUSED, 91), "if it fails, the client gets:")
    above = 52
    for number, (name, what, refusal) in enumerate(STEPS):
        y = _TOP + number * _STEP
        picture.arrow((_MIDDLE, above), (_MIDDLE, y))
        picture.box((_LEFT, y, _WIDTH, _HEIGHT), name, what)
        picture.arrow((_LEFT + _WIDTH, y + _HEIGHT // 2), (_REFUSED - 6, y + _HEIGHT // 2))
        picture.words((_REFUSED, y + _HEIGHT // 2 + 5), refusal)
        above = y + _HEIGHT
    store = end + 64
    picture.arrow((_MIDDLE, above), (_MIDDLE, store))
    picture.words((_MIDDLE + 12, store - 34), "head, then the body, streamed; what the target")
    picture.words((_MIDDLE + 12, store - 16), "does not verify of it is verified on the way")
    picture.box((_LEFT, store, _WIDTH, 44), "target", kind="store")
    picture.arrow((_LEFT, store + 22), (44, store + 22), (44, 32), (_LEFT, 32))
    up = (37, (_TOP + end) // 2)
    picture.words(up, "the answer, under the client's names", anchor="middle", turned=True)
    return picture
