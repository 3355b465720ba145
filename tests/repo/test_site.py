"""The documentation's site: all of it is built, what is broken fails, and a browser shows it."""

from __future__ import annotations

import fcntl
import functools
import http.server
import os
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.doubles.browser import CHROMIUM, Browser
from tests.repo.tree import ROOT, tracked

# MkDocs is installed by `make docs`.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")

COMPARED = {"h1", "h2", "h3", "h4", "img", "li", "ol", "pre", "strong", "table", "tr", "ul"}
PHONE = 360


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make docs` builds: once at a time, as it may install MkDocs."""
    with (tmp_path_factory.getbasetemp().parent / "docs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        done = subprocess.run(
            ["make", "docs"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        copy = tmp_path_factory.mktemp("site")
        subprocess.run(["cp", "-r", f"{ROOT}/build/site/.", str(copy)], check=True)
        return copy


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as one:
        yield one


def pages(site: Path) -> dict[Path, Path]:
    """The page of each document of the repository that is on the site."""
    found = {ROOT / "README.md": site / "index.html"}
    for path in tracked("*.md"):
        inside = path.relative_to(ROOT).with_suffix(".html")
        inside = inside.with_name("index.html") if inside.stem == "README" else inside
        in_docs = inside.parts[0] == "docs"
        place = inside.relative_to("docs") if in_docs else Path("repository") / inside
        if path not in found and (site / place).exists():
            found[path] = site / place
    return found


class Seen(HTMLParser):
    """The elements and the words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.words = ""
        self.feed(text)
        # Of a heading the site shows a link to itself, and nobody shows where lines end.
        self.words = re.sub(r"[\s¶]+", "", self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in COMPARED:
            self.elements[tag] += 1

    def handle_data(self, data: str) -> None:
        self.words += data


def test_every_document_is_on_the_site(site: Path) -> None:
    missing = set(tracked("*.md")) - pages(site).keys()
    assert [path for path in missing if not path.is_relative_to(ROOT / "tests")] == []


def test_the_site_shows_what_the_repository_shows(site: Path) -> None:
    """MkDocs reads another Markdown than the documents are written in."""
    markdown = MarkdownIt("commonmark").enable("table")
    wrong = []
    for path, page in pages(site).items():
        (article,) = re.findall(r"<article.*?</article>", page.read_text(), re.DOTALL)
        here, there = Seen(article), Seen(markdown.render(path.read_text()))
        if here.elements != there.elements:
            wrong.append(f"{path.name}: {here.elements} for {there.elements}")
        elif here.words != there.words:
            both = enumerate(zip(here.words, there.words, strict=False))
            at = next((at for at, (one, two) in both if one != two), 0)
            wrong.append(f"{path.name}: {here.words[at:][:40]} for {there.words[at:][:40]}")
    assert wrong == []


def broken_tree(tmp_path: Path) -> Path:
    """A copy of what the site is made of; the rest of the repository is there by links."""
    for entry in ROOT.iterdir():
        if entry.name not in ("docs", "mkdocs.yml", "build"):
            (tmp_path / entry.name).symlink_to(entry)
    subprocess.run(["cp", "-r", ROOT / "docs", ROOT / "mkdocs.yml", tmp_path], check=True)
    return tmp_path


def edited(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("docs/chains.md", "", "", ""),
        ("docs/chains.md", "](cookbook.md", "](cookbok.md", "'cookbok.md'"),
        ("docs/chains.md", "](#fallback)", "](#fallbacks)", "'#fallbacks'"),
        ("docs/chains.md", "](configuration.md#keys)", "](configuration.md#kees)", "'#kees'"),
        ("docs/profiles.md", "routing/profiles.py)", "routing/profile.py)", "routing/profile.py'"),
        ("docs/concepts.md", "](../ARCHITECTURE.md#life", "](../ARCHITECTURE.md#live", "'#live-of"),
        (
            "docs/dashboard.md",
            "dashboard-light.png",
            "dashboard-bright.png",
            "dashboard-bright.png",
        ),
        ("mkdocs.yml", "      - chains.md\n", "", "chains.md"),
        ("mkdocs.yml", "- chains.md", "- chain.md", "chain.md"),
    ],
    ids=[
        "nothing",
        "page",
        "anchor",
        "anchor of a page",
        "source",
        "anchor of a document outside",
        "picture",
        "page without a place",
        "place without a page",
    ],
)
def test_what_is_broken_fails_the_build(
    site: Path, tmp_path: Path, name: str, old: str, new: str, told: str
) -> None:
    root = broken_tree(tmp_path)
    (root / name).write_text(edited((root / name).read_text(), old, new))
    done = subprocess.run(
        [".venv/bin/python", "-m", "mkdocs", "build", "--strict"],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == bool(told), done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@needs_chromium
def test_each_page_fits_a_telephone_and_fetches_nothing_from_elsewhere(
    site: Path, url: str, browser: Browser
) -> None:
    wrong = []
    for page in sorted(site.rglob("*.html")):
        name = page.relative_to(site)
        tab = browser.open(f"{url}{name}", width=PHONE, height=800)
        if (width := tab.evaluate("document.documentElement.scrollWidth")) > PHONE:
            wrong.append(f"{name} is {width} wide")
        elsewhere = [one for one in tab.requests if not one.startswith((url, "data:"))]
        wrong += [f"{name}: {what}" for what in [*elsewhere, *tab.errors]]
        tab.close()
    assert wrong == []


@needs_chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_reader_s_colours_are_followed(url: str, browser: Browser, *, dark: bool) -> None:
    tab = browser.open(f"{url}index.html", dark=dark)
    tab.wait_for("document.body.hasAttribute('data-md-color-scheme')")
    scheme = tab.evaluate("document.body.getAttribute('data-md-color-scheme')")
    assert scheme == ("slate" if dark else "default")
    shade = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    brightness = sum(tab.evaluate(shade)[:3]) / 3
    assert brightness < 80 if dark else brightness > 200
    tab.close()


@needs_chromium
def test_a_setting_is_found_by_its_name(url: str, browser: Browser) -> None:
    tab = browser.open(f"{url}index.html")
    query = "[data-md-component=search-query]"
    tab.wait_for(f"document.querySelector('{query}')")
    tab.click(query)
    tab.fill(query, "handshake_seconds")
    tab.key("End")
    tab.wait_for("document.querySelector('.md-search-result__item')")
    assert "router.limits.handshake_seconds" in tab.text(".md-search-result__item")
    tab.close()


# What is wrong with the words of a picture: those that leave it, the box that they are in, or that
# lie on others.
MISPLACED = """(() => {
  const area = one => one.getBoundingClientRect();
  const inside = (a, b) => a.left >= b.left && a.right <= b.right
    && a.top >= b.top && a.bottom <= b.bottom;
  const apart = (a, b) => a.right <= b.left || b.right <= a.left
    || a.bottom <= b.top || b.bottom <= a.top;
  const words = [...document.querySelectorAll('text')], wrong = [];
  const boxes = [...document.querySelectorAll('rect:not(.frame)')].map(area);
  words.forEach((one, index) => {
    const at = area(one), x = (at.left + at.right) / 2, y = (at.top + at.bottom) / 2;
    for (const box of boxes)
      if (x > box.left && x < box.right && y > box.top && y < box.bottom && !inside(at, box))
        wrong.push(`${one.textContent} leaves its box`);
    for (const other of words.slice(index + 1))
      if (!apart(at, area(other))) wrong.push(`${one.textContent} lies on ${other.textContent}`);
  });
  return words.length ? wrong : ['no words'];
})()"""


@needs_chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_each_diagram_can_be_read(browser: Browser, *, dark: bool) -> None:
    drawings = sorted((ROOT / "docs" / "diagrams").glob("*.svg"))
    assert [one.stem for one in drawings] == ["chain", "migration", "processes", "request"]
    for drawing in drawings:
        tab = browser.open(drawing.as_uri(), dark=dark)
        assert (drawing.stem, tab.evaluate(MISPLACED), tab.errors) == (drawing.stem, [], [])
        ground = "getComputedStyle(document.querySelector('.ground')).fill.match(/\\d+/g)"
        words = "getComputedStyle(document.querySelector('text')).fill.match(/\\d+/g)"
        lighter = int(tab.evaluate(ground)[0]) > int(tab.evaluate(words)[0])
        assert lighter != dark
        tab.close()
