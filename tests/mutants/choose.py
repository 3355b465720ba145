"""Which mutants there are: small changes of one statement each, chosen from the source by a seed.

    flip      a < b  ->  a <= b, ==  ->  !=, is  ->  is not, in  ->  not in
    negate    if a:  ->  if not a:
    join      a and b  ->  a or b
    shift     1  ->  2
    drop      call(), a.b = c, a += 1  ->  pass
    swap      return True  ->  return False; return a  ->  return not a, or None

Rules: the same source gives the same mutants; each room of the source, a folder or a module, gives
as many as `ROOMS` says, none of them from a room within it, and no function more than
`PER_FUNCTION`; what any test would notice is left out (a field that is not there); only what is
inside a function is changed, so that a mutant is one function's code, put in the place of the
other.
"""

from __future__ import annotations

import ast
import copy
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parents[2]

ROOMS: Mapping[str, int] = {
    "fastpath/exchange": 18,
    "fastpath/composed": 8,
    "fastpath/composed/chains": 14,
    "fastpath/composed/object_lists": 10,
    "fastpath/client": 10,
    "fastpath/upstream": 18,
    "fastpath/upstream/breaker.py": 8,
    "fastpath/payload": 14,
    "fastpath/renaming": 10,
    "fastpath/http": 10,
    "fastpath/request": 7,
    "fastpath/response": 4,
    "fastpath/routing": 4,
    "fastpath/routing/chain.py": 3,
    "fastpath/routing/plan.py": 6,
    "fastpath/routing/write_conditions.py": 6,
    "fastpath/s3": 6,
    "fastpath/signing": 10,
    "fastpath/forms": 5,
    "fastpath/dialects": 8,
    "fastpath/sockets": 7,
    "fastpath/ipc": 4,
    "fastpath/worker": 4,
    "gateway/config": 4,
    "gateway/control": 4,
    "gateway/supervisor": 5,
}
PER_FUNCTION = 2

_FLIPS: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: of node number `node` of a module, in the order of `ast.walk`."""

    path: str  # from the root of the repository
    line: int
    function: str  # the outermost one, as code objects call it
    first: int  # the line where it begins
    kind: str
    node: int
    before: str
    after: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.line} {self.function} {self.kind}"

    def __str__(self) -> str:
        return f"{self.name}: {self.before}  ->  {self.after}"


def mutants() -> list[Mutant]:
    """All that are chosen, by path and line."""
    chosen: list[Mutant] = []
    for room, count in ROOMS.items():
        found = [one for path in _modules(room) for one in _of(path)]
        random.Random(room).shuffle(found)
        taken: Counter[tuple[str, str]] = Counter()
        for mutant in found:
            if sum(taken.values()) == count:
                break
            if taken[mutant.path, mutant.function] < PER_FUNCTION:
                taken[mutant.path, mutant.function] += 1
                chosen.append(mutant)
    return sorted(chosen, key=lambda mutant: (mutant.path, mutant.line, mutant.node))


def _modules(room: str) -> list[Path]:
    """Those of a room, and of none within it."""
    whole = ROOT / room
    if whole.is_file():
        return [whole]
    within = [ROOT / other for other in ROOMS if whole in (ROOT / other).parents]
    found = sorted(whole.rglob("*.py"))
    return [path for path in found if not any(path.is_relative_to(other) for other in within)]


def _of(path: Path) -> Iterator[Mutant]:
    tree = ast.parse(path.read_text())
    numbers = {node: number for number, node in enumerate(ast.walk(tree))}
    for name, function in _functions(tree.body, ""):
        for node in _inside(function):
            for kind, after in _changes(node, function):
                yield Mutant(
                    str(path.relative_to(ROOT)),
                    node.lineno,  # type: ignore[attr-defined]  # statements and expressions have it
                    name,
                    _first(function),
                    kind,
                    numbers[node],
                    _shown(node),
                    _shown(after),
                )


def _first(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min(node.lineno for node in (function, *function.decorator_list))


def _shown(node: ast.AST) -> str:
    """One line of what it says."""
    return ast.unparse(node).partition("\n")[0][:80]


def _functions(
    body: list[ast.stmt], prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Those of a module and of its classes, not those within another."""
    for node in body:
        if isinstance(node, _FUNCTION):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")


def _inside(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Nodes that run when it is called; what a `raise` or a `repr` says is nobody's business."""
    if function.name == "__repr__":
        return
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise | ast.Assert | ast.AnnAssign | ast.JoinedStr):
            continue
        yield node
        waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def _changes(
    node: ast.AST, function: ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[tuple[str, ast.AST]]:
    returns = "" if function.returns is None else ast.unparse(function.returns)
    match node:
        case ast.Compare(ops=[op]) if type(op) in _FLIPS:
            yield "flip", ast.Compare(node.left, [_FLIPS[type(op)]()], node.comparators)
        case ast.If() | ast.IfExp():
            negated = copy.copy(node)
            negated.test = ast.UnaryOp(ast.Not(), node.test)
            yield "negate", negated
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "join", ast.BoolOp(other, node.values)
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            yield "shift", ast.Constant(value + 1)
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield "drop", ast.Pass()
        case ast.Assign(targets=[ast.Attribute()]) if function.name != "__init__":
            yield "drop", ast.Pass()
        case ast.Return(value=ast.Constant(value=bool(value))):
            yield "swap", ast.Return(ast.Constant(not value))
        case ast.Return(value=ast.expr() as value) if returns == "bool":
            yield "swap", ast.Return(ast.UnaryOp(ast.Not(), value))
        case ast.Return(value=ast.expr() as value) if "None" in returns and not _is_none(value):
            yield "swap", ast.Return(ast.Constant(None))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


class _Put(ast.NodeTransformer):
    """Puts other nodes in the place of some."""

    def __init__(self, places: Mapping[ast.AST, ast.AST | list[ast.stmt]]) -> None:
        self._places = places

    def visit(self, node: ast.AST) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return self._places.get(node, node)


def mutated(mutant: Mutant) -> ast.Module:
    """The module with the change."""
    tree = ast.parse((ROOT / mutant.path).read_text())
    node = list(ast.walk(tree))[mutant.node]
    function = next(one for name, one in _functions(tree.body, "") if _first(one) == mutant.first)
    after = next(after for kind, after in _changes(node, function) if kind == mutant.kind)
    ast.copy_location(after, node)
    changed = _Put({node: after}).visit(tree)
    assert isinstance(changed, ast.Module)
    return ast.fix_missing_locations(changed)


def watched(path: str, among: Mapping[int, Mutant]) -> ast.Module:
    """The module with a call `__reached__(number)` before the statement of each of its mutants."""
    tree = ast.parse((ROOT / path).read_text())
    nodes = list(ast.walk(tree))
    above = {child: node for node in nodes for child in ast.iter_child_nodes(node)}
    calls: dict[ast.AST, list[ast.stmt]] = {}
    for number, mutant in among.items():
        if mutant.path == path:
            node = nodes[mutant.node]
            while not isinstance(node, ast.stmt):
                node = above[node]
            called = ast.Call(ast.Name("__reached__", ast.Load()), [ast.Constant(number)], [])
            call = ast.copy_location(ast.Expr(called), node)
            calls.setdefault(node, []).append(call)
    places = {node: [*before, node] for node, before in calls.items()}
    changed = _Put(places).visit(tree)  # type: ignore[arg-type]  # a key is a value's last
    assert isinstance(changed, ast.Module)
    return ast.fix_missing_locations(changed)


def code(tree: ast.Module, mutant: Mutant) -> CodeType:
    """The code of the mutant's function in a module."""
    waiting = [compile(tree, str(ROOT / mutant.path), "exec", dont_inherit=True)]
    while waiting:
        one = waiting.pop()
        if one.co_qualname == mutant.function and one.co_firstlineno == mutant.first:
            return one
        waiting.extend(const for const in one.co_consts if isinstance(const, CodeType))
    raise LookupError(mutant.name)
