"""Repositories, branches, commits and objects, in memory.

Rules: an object is immutable and shared by the entries that name it; writes happen under one lock;
every answer that depends on what a name means comes from here.
"""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.doubles.lakefs.addressing import is_ref

_EXPRESSION = re.compile(r"(?P<base>[^\s~^@$]+)(?P<modifiers>(?:[~^]\d*|[@$])*)\Z")
_MODIFIER = re.compile(r"([~^@$])(\d*)")


class Exists(Exception):
    """Something with this name is there."""


class Missing(Exception):
    """No such repository, branch, ref or object."""


class BadRef(Exception):
    """No ref expression."""


class Protected(Exception):
    """The branch takes no direct writes."""


@dataclass(frozen=True, slots=True)
class Blob:
    """An object's bytes in the block store; `Store.lost` names those that are gone."""

    data: bytes
    content_type: str
    metadata: dict[str, str]
    etag: str
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    address: str = field(default_factory=lambda: uuid.uuid4().hex)


Entries = dict[str, Blob]


@dataclass(frozen=True, slots=True)
class Commit:
    parents: tuple[str, ...]
    entries: Entries
    message: str
    id: str = field(default_factory=lambda: hashlib.sha256(uuid.uuid4().bytes).hexdigest())


@dataclass(slots=True)
class Branch:
    commit_id: str
    entries: Entries
    is_protected: bool = False


@dataclass(slots=True)
class Upload:
    """A multipart upload and where it was begun, which only Abort and listings look at."""

    repository: str
    branch: str
    key: str
    content_type: str
    metadata: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)
    is_consumed: bool = False  # the block store made an object of it, and knows it no more


@dataclass(slots=True)
class Repository:
    name: str
    is_read_only: bool = False
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    branches: dict[str, Branch] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)

    def entries(self, expression: str) -> Entries:
        """What a ref expression holds. Raises BadRef, Missing."""
        found = _EXPRESSION.match(expression) if is_ref(expression) else None
        if not found:
            raise BadRef(expression)
        base, modifiers = found["base"], _MODIFIER.findall(found["modifiers"])
        commit_id = self.commit_id(base)
        branch = None if base in self.commits else self.branches.get(base)
        if branch and not modifiers:
            return branch.entries
        for sign, digits in modifiers:
            if sign in "@$":
                if branch is None or len(modifiers) != 1:
                    raise BadRef(expression)
                return branch.entries if sign == "$" else self.commits[commit_id].entries
            commit_id = self._walk(commit_id, sign, int(digits or "1"))
        return self.commits[commit_id].entries

    def commit_id(self, base: str) -> str:
        """Full commit id, then branch, tag, commit prefix. Raises Missing."""
        if base in self.commits:
            return base
        if base in self.branches:
            return self.branches[base].commit_id
        if base in self.tags:
            return self.tags[base]
        prefixed = [commit_id for commit_id in self.commits if commit_id.startswith(base)]
        if len(prefixed) != 1:
            raise Missing(base)
        return prefixed[0]

    def _walk(self, commit_id: str, sign: str, count: int) -> str:
        """`~N`: N first parents up, Missing beyond the first commit; `^N`: the Nth, or BadRef."""
        if sign == "^":
            parents = (commit_id, *self.commits[commit_id].parents)
            if count >= len(parents):
                raise BadRef(f"{sign}{count}")
            return parents[count]
        for _ in range(count):
            if not self.commits[commit_id].parents:
                raise Missing(commit_id)
            commit_id = self.commits[commit_id].parents[0]
        return commit_id

    def branch(self, name: str) -> Branch:
        if name not in self.branches:
            raise Missing(name)
        return self.branches[name]

    def writable(self, name: str) -> Branch:
        """The branch, to be written now. Raises Missing, Protected."""
        branch = self.branch(name)
        if branch.is_protected:
            raise Protected(name)
        return branch

    def commit(self, name: str, message: str) -> str:
        """A commit of what is staged. Raises Missing, ValueError if nothing is."""
        branch = self.branch(name)
        if branch.entries == self.commits[branch.commit_id].entries:
            raise ValueError("no changes")
        self._advance(branch, message)
        return branch.commit_id

    def _advance(self, branch: Branch, message: str) -> None:
        parents = (branch.commit_id,) if branch.commit_id else ()
        commit = Commit(parents, dict(branch.entries), message)
        self.commits[commit.id] = commit
        branch.commit_id = commit.id

    def add_branch(self, name: str, source: str | None = None) -> str:
        """A branch at what `source` is, or an empty one. Raises Exists, Missing."""
        if name in self.branches or name in self.commits:
            raise Exists(name)
        if source is None:
            self.branches[name] = Branch("", {})
            self._advance(self.branches[name], "Repository created")
        else:
            commit_id = self.commit_id(source)
            self.branches[name] = Branch(commit_id, dict(self.commits[commit_id].entries))
        return self.branches[name].commit_id


class Store:
    """Everything the double holds."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.uploads: dict[str, Upload] = {}
        self.lost: set[str] = set()  # addresses of blobs whose bytes are gone
        self.lock = threading.RLock()

    def add_repository(self, name: str, branch: str = "main", *, read_only: bool) -> Repository:
        with self.lock:
            if name in self.repositories:
                raise Exists(name)
            repository = Repository(name, read_only)
            repository.add_branch(branch)
            self.repositories[name] = repository
            return repository

    def write(
        self, repository: Repository, branch: str, key: str, blob: Blob, *, only_if_absent: bool
    ) -> None:
        """Link an object to its name. Raises Missing, Protected, Exists."""
        with self.lock:
            entries = repository.writable(branch).entries
            if only_if_absent and key in entries:
                raise Exists(key)
            entries[key] = blob

    def read(self, repository: Repository, ref: str, key: str) -> Blob:
        """Raises BadRef, Missing."""
        with self.lock:
            blob = repository.entries(ref).get(key)
        if blob is None:
            raise Missing(key)
        return blob

    def snapshot(self, repository: Repository, ref: str) -> Entries:
        """A copy of what a ref holds. Raises BadRef, Missing."""
        with self.lock:
            return dict(repository.entries(ref))
