"""The documents tell the truth where a machine can check it."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from gateway.admin.openapi import CHANGE, READ
from gateway.config import load
from tests.compat.document import CLIENTS
from tests.corpus import signatures, sigv2, trailers
from tests.doubles import mutations
from tests.repo.tree import ROOT, modules, tracked


def test_links_inside_the_repository_lead_somewhere() -> None:
    broken = []
    for path in tracked("*.md"):
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            outside = "://" in link or link.startswith("mailto:")
            if not outside and not (path.parent / link).exists():
                broken.append(f"{path.name}: {link}")
    assert broken == []


def test_anchors_are_headings() -> None:
    broken = []
    for path in tracked("*.md"):
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
        for link, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", text):
            page = path.parent / link if link else path
            if page.suffix == ".md" and page.exists() and anchor not in _anchors(page):
                broken.append(f"{path.name}: {link}#{anchor}")
    assert broken == []


def _anchors(page: Path) -> set[str]:
    """The anchors that the headings of a page get where repositories are shown."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    found = set(re.findall(r'<a id="([^"]+)">', text))
    for heading in re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE):
        shown = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w -]", "", shown.lower()).replace(" ", "-")
        number = next(n for n in itertools.count() if (f"{slug}-{n}" if n else slug) not in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


def test_each_document_has_one_place_in_the_navigation() -> None:
    """`make docs` fails otherwise; this tells it sooner."""

    class Loader(yaml.SafeLoader):
        """Reads what MkDocs makes functions of as nothing."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
    navigation = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)["nav"]
    places = Counter(re.findall(r"'([^']+(?:\.md|/))'", str(navigation)))
    assert [place for place, times in places.items() if times > 1] == []
    pages = [path.relative_to(ROOT / "docs") for path in tracked("docs/**.md")]
    lost = [str(page) for page in pages if not {str(page), f"{page.parent}/"} & places.keys()]
    assert lost == []


def test_yaml_snippets_parse() -> None:
    broken = []
    for path in tracked("*.md"):
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), flags=re.DOTALL):
            try:
                assert list(yaml.safe_load_all(block))
            except (AssertionError, yaml.YAMLError) as error:
                broken.append(f"{path.name}: {error}")
    assert broken == []


def test_every_make_target_named_in_a_document_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in tracked("*.md"):
        named = set(re.findall(r"`make ([a-z]+)", path.read_text()))
        assert named <= targets, f"{path.name}: {sorted(named - targets)}"


def test_architecture_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = {m.name.split(".")[1] for m in modules() if m.name.count(".")}
    missing = {room for room in rooms if f"{room}" not in text}
    assert not missing


def test_every_error_a_client_can_get_is_documented() -> None:
    text = (ROOT / "docs" / "errors.md").read_text()
    source = (ROOT / "fastpath" / "errors.py").read_text()
    codes = set(re.findall(r"Kind\(\s*\d{3},\s*\"(\w+)\"", source))
    assert codes
    assert not {code for code in codes if f"`{code}`" not in text}


def test_every_path_of_the_admin_plane_is_documented() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    paths = {*READ, *CHANGE} - {"/api/targets/{name}/{command}"}
    assert "/metrics" in paths
    assert not {path for path in paths if f"`{path}`" not in text}
    queries = {name for path in READ.values() for name in path.query}
    assert not {name for name in queries if f"`{name}`" not in text}


def test_the_readme_counts_what_the_tests_have() -> None:
    """Rounded, so that one more case changes no document."""
    text = (ROOT / "README.md").read_text()
    told = re.search(r"in some (\d+) ways, signatures and trailers in some (\d+);", text)
    assert told is not None
    cases = [*signatures.cases(), *sigv2.cases()]
    refused = sum(not case.expect.get("accepted") for case in cases)
    refused += sum(case.accepted is None for case in trailers.cases())
    for number, there in zip(told.groups(), (len(mutations.CASES), refused), strict=True):
        assert int(number) == pytest.approx(there, rel=0.15)
    programs = {client.packages[0] for client in CLIENTS}
    assert (len(programs), "eight real clients" in text) == (8, True)


def test_ci_runs_the_command_of_the_readme() -> None:
    assert "`make test`" in (ROOT / "README.md").read_text()
    assert re.search(r"^\s*make test", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_no_secret_and_no_private_path_is_committed() -> None:
    patterns = [r"/work/", r"BEGIN (RSA |EC )?PRIVATE KEY"]
    listed = subprocess.run(
        ["git", "grep", "-nIE", "|".join(patterns), "--", ".", ":!tests/repo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.stdout == ""


def test_every_capability_is_explained_and_shown_for_every_shipped_profile() -> None:
    from fastpath.routing.profiles import PROFILES
    from gateway.config import schema

    text = (ROOT / "docs" / "profiles.md").read_text()
    for name in schema.ProfileOverrides.model_fields:
        rows = re.findall(rf"^\| `{name}` \|.*\|$", text, re.M)
        assert len(rows) == 2, f"{name}: one row that explains, one of the shipped profiles"
        assert rows[1].count(" | ") == len(PROFILES)
        for cell, profile in zip(rows[1].split(" | ")[1:], PROFILES.values(), strict=True):
            value = getattr(profile, name)
            if isinstance(value, bool):
                assert cell.removesuffix(" |") == ("yes" if value else "no"), f"{name}: {cell}"


def test_the_first_example_says_who_may_connect(tmp_path: Path) -> None:
    """D1: its client signs with the key of an identity, and `check` has nothing to say of it."""
    text = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)[:1]
    file = tmp_path / "gateway.yaml"
    file.write_text(example)
    loaded = load({"config": str(file)}, {})
    assert (loaded.problems, loaded.notes) == ([], [])
    assert loaded.model is not None
    (identity,) = loaded.model.identities
    (client,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)[:1]
    assert f'aws_access_key_id="{identity.pair.access_key_id}"' in client
    secret = identity.pair.secret_access_key.get_secret_value()
    assert f'aws_secret_access_key="{secret}"' in client
