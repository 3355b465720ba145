"""Draws the steps in which a bucket moves to another store while its clients go on."""

from __future__ import annotations

from website.picture import Picture

_STEP = 150


def draw() -> Picture:
    """Returns the picture."""
    picture = Picture("The steps of moving a bucket", 4 * _STEP + 16)
    for number, step in enumerate((_before, _new_first, _copy, _after)):
        top = 16 + number * _STEP
        picture.frame((16, top, 568, _STEP - 16), "")
        step(picture, top)
    return picture


def _told(picture: Picture, top: int, name: str, *lines: str) -> None:
    picture.words((30, top + 26), name, style="name")
    for number, line in enumerate(lines):
        picture.words((30, top + 50 + 19 * number), line, style=_style(line))


def _style(line: str) -> str:
    """Returns the style of a line: what stands in the configuration, or words."""
    return "code" if line.startswith(("target:", "fallback:")) else "note"


def _parties(picture: Picture, top: int, new: str = "store", old: str = "store") -> None:
    picture.box((250, top + 46, 96, 42), "clients", kind="client")
    picture.box((456, top + 14, 114, 38), "new store", kind=new)
    picture.box((456, top + 82, 114, 38), "old store", kind=old)


def _before(picture: Picture, top: int) -> None:
    _told(picture, top, "1. Before", "No rule, or one for", "the old store.")
    _parties(picture, top, new="absent")
    picture.arrow((346, top + 72), (456, top + 101), both=True)
    picture.words((352, top + 114), "reads, writes")


def _new_first(picture: Picture, top: int) -> None:
    _told(
        picture,
        top,
        "2. New store first",
        "target: new",
        "fallback: [old]",
        "Reload: nobody notices.",
        "Several replicas: reads first.",
    )
    _parties(picture, top)
    picture.arrow((346, top + 62), (456, top + 33), both=True)
    picture.words((352, top + 30), "reads, writes")
    picture.arrow((456, top + 101), (346, top + 74))
    picture.words((352, top + 114), "404: read here")


def _copy(picture: Picture, top: int) -> None:
    _told(
        picture,
        top,
        "3. Copy the rest",
        "CopyObject of each key,",
        "If-None-Match: *: what is",
        "newer stays. Compare.",
    )
    _parties(picture, top)
    picture.arrow((346, top + 62), (456, top + 33), both=True)
    picture.words((352, top + 30), "reads, writes")
    picture.arrow((456, top + 101), (346, top + 74))
    picture.arrow((513, top + 82), (513, top + 53), kind="copy")
    picture.words((520, top + 72), "copies")
    picture.words((352, top + 114), "less and less")


def _after(picture: Picture, top: int) -> None:
    _told(
        picture,
        top,
        "4. Without the old one",
        "target: new",
        "Take out the fallback,",
        "reload. Keep the old store.",
    )
    _parties(picture, top, old="absent")
    picture.arrow((346, top + 62), (456, top + 33), both=True)
    picture.words((352, top + 30), "reads, writes")
