"""Draws boxes, arrows and words as an SVG that follows the reader's light or dark colours.

Rules: the ground is drawn too, so that words can be read on any page; a picture is as narrow as a
column of text, so that a telephone shows its words; coordinates are pixels, from the upper left.
"""

from __future__ import annotations

from html import escape
from typing import Final

WIDTH: Final = 600
LINE: Final = 18  # from one line of words to the next

STYLE: Final = """\
.ground{fill:#fff}
.box{fill:#eef1fb;stroke:#4051b5}
.client{fill:#fdf3e1;stroke:#b26a00}
.store{fill:#e7f4ea;stroke:#2e7d32}
.frame,.absent{fill:none;stroke:#7a8190;stroke-dasharray:5 4}
.line{fill:none;stroke:#4a5160;stroke-width:1.6}
.copy{fill:none;stroke:#b26a00;stroke-width:1.6;stroke-dasharray:6 3}
.head{fill:#4a5160}
text{fill:#1f2430;font:14px system-ui,sans-serif}
.name{font-weight:600}
.note{fill:#5a6170;font-size:13px}
.code{font:13px ui-monospace,monospace}
@media (prefers-color-scheme:dark){
.ground{fill:#1e2129}
.box{fill:#2a3050;stroke:#8c9eff}
.client{fill:#3d3322;stroke:#ffb74d}
.store{fill:#22392a;stroke:#81c784}
.frame,.absent{stroke:#9aa1b0}
.line{stroke:#b6bccb}
.copy{stroke:#ffb74d}
.head{fill:#b6bccb}
text{fill:#e6e9f0}
.note{fill:#b0b7c6}
}"""


class Picture:
    """One picture, drawn in the order of the calls."""

    def __init__(self, title: str, height: int) -> None:
        self._title = title
        self._height = height
        self._parts: list[str] = []

    def box(
        self, area: tuple[int, int, int, int], name: str, *lines: str, kind: str = "box"
    ) -> None:
        """Draws a box (left, top, width, height) with a name and lines in its middle."""
        x, y, width, height = area
        self._parts.append(
            f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
        )
        first = y + height // 2 + 5 - LINE * len(lines) // 2
        for number, line in enumerate((name, *lines)):
            style = "name" if number == 0 else "note"
            self.words((x + width // 2, first + number * LINE), line, style=style, anchor="middle")

    def frame(self, area: tuple[int, int, int, int], name: str) -> None:
        """Draws a broken line around what belongs together, with a name at its upper left."""
        x, y, width, height = area
        self._parts.append(
            f'<rect class="frame" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>'
        )
        self.words((x + 44, y + 21), name, style="name")

    def words(
        self,
        at: tuple[int, int],
        text: str,
        *,
        style: str = "note",
        anchor: str = "start",
        turned: bool = False,
    ) -> None:
        """Writes a line; turned, it reads from below to above."""
        x, y = at
        turn = f' transform="rotate(-90 {x} {y})"' if turned else ""
        self._parts.append(
            f'<text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}"{turn}>'
            f"{escape(text, quote=False)}</text>"
        )

    def arrow(self, *points: tuple[int, int], kind: str = "line", both: bool = False) -> None:
        """Draws a line along points, with a head at its end, or at both."""
        path = " ".join(f"{x},{y}" for x, y in points)
        start = ' marker-start="url(#head)"' if both else ""
        self._parts.append(
            f'<polyline class="{kind}" points="{path}"{start} marker-end="url(#head)"/>'
        )

    def svg(self) -> str:
        """Returns the text of the file."""
        return "\n".join(
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self._height}"'
                f' width="{WIDTH}" height="{self._height}" role="img">',
                f"<title>{escape(self._title, quote=False)}</title>",
                f"<style>\n{STYLE}\n</style>",
                '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7"'
                ' markerHeight="7" orient="auto-start-reverse">'
                '<path class="head" d="M0 0 10 5 0 10z"/></marker></defs>',
                f'<rect class="ground" width="{WIDTH}" height="{self._height}" rx="8"/>',
                *self._parts,
                "</svg>\n",
            )
        )
