"""Draws what reads, writes, deletions and lists do along a chain of two places."""

from __future__ import annotations

from website.picture import Picture

_FIRST, _SECOND, _GETS = 182, 346, 424  # the middles of the two places; where the answers begin


def draw() -> Picture:
    """Returns the picture."""
    picture = Picture("A chain of two places", 424)
    picture.words((16, 34), "a request for", style="note")
    picture.words((16, 52), "one bucket", style="name")
    picture.words((_GETS, 52), "the client gets", style="name")
    places = ((_FIRST, "new store", "place 1: target"), (_SECOND, "old store", "place 2: fallback"))
    for middle, name, role in places:
        picture.box((middle - 60, 16, 120, 392), "", kind="store")
        picture.words((middle, 38), name, style="name", anchor="middle")
        picture.words((middle, 58), role, anchor="middle")
    _read(picture, 114)
    _write(picture, 192)
    _delete(picture, 270)
    _list(picture, 348)
    return picture


def _row(picture: Picture, y: int, name: str, *gets: str) -> None:
    picture.words((16, y + 5), name, style="name")
    for number, line in enumerate(gets):
        picture.words((_GETS, y + 5 - 9 * (len(gets) - 1) + 18 * number), line)


def _mark(picture: Picture, middle: int, y: int, text: str) -> None:
    picture.box((middle - 44, y - 17, 88, 34), text)


def _read(picture: Picture, y: int) -> None:
    _row(picture, y, "read", "the object of the first", "place that has the key")
    picture.arrow((70, y), (_FIRST - 44, y))
    _mark(picture, _FIRST, y, "1st look")
    picture.arrow((_FIRST + 44, y), (_SECOND - 44, y))
    picture.words(((_FIRST + _SECOND) // 2, y - 8), "404", anchor="middle")
    _mark(picture, _SECOND, y, "2nd look")


def _write(picture: Picture, y: int) -> None:
    _row(picture, y, "write", "200 once it is stored;", "older copies are masked")
    picture.arrow((70, y), (_FIRST - 44, y))
    _mark(picture, _FIRST, y, "written")
    picture.words((_SECOND, y + 5), "nothing", anchor="middle")


def _delete(picture: Picture, y: int) -> None:
    _row(picture, y, "delete", "204 once it is gone", "at every place")
    picture.arrow((70, y), (98, y), (98, y - 30), (_SECOND, y - 30), (_SECOND, y - 17))
    _mark(picture, _SECOND, y, "1st")
    picture.arrow((_SECOND - 44, y), (_FIRST + 44, y))
    _mark(picture, _FIRST, y, "2nd")


def _list(picture: Picture, y: int) -> None:
    _row(picture, y, "list", "a, b, c: one list in order;", "c is that of place 1")
    picture.arrow((70, y), (_FIRST - 44, y))
    _mark(picture, _FIRST, y, "a, c")
    picture.arrow((98, y), (98, y + 30), (_SECOND, y + 30), (_SECOND, y + 17))
    _mark(picture, _SECOND, y, "b, c")
