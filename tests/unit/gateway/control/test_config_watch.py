"""When the file of the configuration counts as changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.control.config_watch import SETTLED_SECONDS, ConfigWatch


class Watched:
    """A file, its watch and a clock."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.watch = ConfigWatch(file)
        self.now = 100.0

    def read(self, refused: tuple[Path, ...] | None = None) -> None:
        seen = self.watch.look()
        other = (
            None if refused is None else {path: ConfigWatch(path).look()[path] for path in refused}
        )
        self.watch.note(seen, other)

    def looks(self, seconds: float = 2.0) -> bool:
        self.now += seconds
        return self.watch.has_changed(self.now)

    def settles(self) -> list[bool]:
        """Three looks, two seconds apart."""
        return [self.looks() for _ in range(3)]


@pytest.fixture
def one(tmp_path: Path) -> Watched:
    file = tmp_path / "gateway.yaml"
    file.write_text("one")
    watched = Watched(file)
    watched.read()
    return watched


def in_place(file: Path) -> None:
    file.write_text("another")


def renamed(file: Path) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text("two")
    fresh.replace(file)


def removed(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("edit", [in_place, renamed, removed])
def test_a_change_is_told_once_it_has_settled(one: Watched, edit) -> None:
    assert one.settles() == [False, False, False]
    edit(one.file)
    assert one.settles() == [False, True, False]


def test_a_file_that_is_being_written_is_left_alone(one: Watched) -> None:
    for size in range(1, 6):
        one.file.write_text("x" * 10 * size)
        assert not one.looks()
    assert not one.looks(SETTLED_SECONDS - 0.1)
    assert one.looks(0.1)


def test_looks_in_quick_succession_do_not_settle_it(one: Watched) -> None:
    """Requests for credentials wake control at any time."""
    one.file.write_text("another")
    assert [one.looks(0.01) for _ in range(100)] == [False] * 100


def test_an_edit_that_is_taken_back_is_none(one: Watched, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    one.file.rename(kept)
    assert not one.looks()
    kept.rename(one.file)
    assert one.settles() == [False, False, False]


def test_a_config_map_is_swapped(tmp_path: Path) -> None:
    """Kubernetes: the file is a link to `..data/NAME`, and `..data` one to a directory."""
    for stamp, text in (("..2026_1", "one"), ("..2026_2", "two")):
        (tmp_path / stamp).mkdir()
        (tmp_path / stamp / "gateway.yaml").write_text(text)
    data = tmp_path / "..data"
    data.symlink_to("..2026_1")
    file = tmp_path / "gateway.yaml"
    file.symlink_to("..data/gateway.yaml")
    watched = Watched(file)
    watched.read()
    assert watched.settles() == [False, False, False]
    fresh = tmp_path / "..data_tmp"
    fresh.symlink_to("..2026_2")
    fresh.replace(data)
    assert watched.settles() == [False, True, False]


def test_what_was_written_while_it_was_read_is_another_change(one: Watched) -> None:
    seen = one.watch.look()
    one.file.write_text("another")
    one.watch.note(seen)
    assert one.settles() == [False, True, False]


def test_after_a_refusal_the_files_that_it_names_count(one: Watched, tmp_path: Path) -> None:
    """A secret may arrive after the configuration that needs it."""
    secret = tmp_path / "secret"
    one.read(refused=(secret,))
    assert one.settles() == [False, False, False]
    secret.write_text("here")
    assert one.settles() == [False, True, False]
    one.read()
    secret.write_text("changed")  # control watches the secrets of what is in force by itself
    assert one.settles() == [False, False, False]


def test_without_a_file_nothing_changes() -> None:
    watch = ConfigWatch(None)
    watch.note(watch.look())
    assert not any(watch.has_changed(float(now)) for now in range(0, 10, 2))


def test_what_was_never_read_has_changed(tmp_path: Path) -> None:
    """Control was replaced: the text in force came from the supervisor."""
    file = tmp_path / "gateway.yaml"
    file.write_text("one")
    assert Watched(file).settles() == [False, True, False]
