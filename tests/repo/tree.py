"""What the repository's own tests read: its modules, their imports, its documents."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("fastpath", "gateway")


@dataclass(frozen=True)
class Module:
    """One module of the two packages."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def lines(self) -> int:
        return self.path.read_text().count("\n")


@functools.cache
def modules() -> tuple[Module, ...]:
    """Every module of both packages."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path, ast.parse(path.read_text())))
    return tuple(found)


def imports(module: Module, *, at_run_time: bool = False) -> Iterator[str]:
    """Full names of what a module imports; with `at_run_time`, only what importing it imports."""
    known = {other.name for other in modules()}
    nodes = _eager(module.tree) if at_run_time else ast.walk(module.tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}: relative import"
            base = node.module or ""
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield full if full in known else base


def _eager(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes that run when the module is imported: not in functions, not under TYPE_CHECKING."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting.extend(node.orelse)
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


@functools.cache
def tracked(pattern: str) -> tuple[Path, ...]:
    """Files of the repository that git knows or would take, by glob."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists())
