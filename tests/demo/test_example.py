"""The demo's examples are the seed's, word for word apart from the endpoint and the keys."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import yaml

from gateway.demo import configuration, example, object_table
from gateway.demo.seaweed import Keys

SEED = Path(__file__).parents[1] / "seed" / "files"
GIVEN = ("endpoint_url", "aws_access_key_id", "aws_secret_access_key")


def without_given(statements: list[ast.stmt]) -> list[str]:
    """Dump the statements, with the three values that the caller gives replaced by their names."""
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.keyword) and node.arg in GIVEN:
                node.value = ast.Name(node.arg)
    return [ast.dump(statement) for statement in statements]


def comments(source: str) -> list[str]:
    return [line.strip() for line in source.splitlines() if line.strip().startswith("#")]


def test_the_example_is_the_seeds() -> None:
    seed = (SEED / "04-boto3-client.py").read_text()
    ours = inspect.getsource(example.run_example)
    (function,) = ast.parse(ours).body
    assert isinstance(function, ast.FunctionDef)
    _import, *wanted = ast.parse(seed).body
    assert without_given(function.body) == without_given(wanted)
    assert comments(ours) == comments(seed)


def without_types(node: ast.AST) -> str:
    """Dump the class, without what our type checker asks for."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef):
            inner.returns = None
        elif isinstance(inner, ast.arg):
            inner.annotation = None
    return ast.dump(node)


def test_the_migration_loop_is_the_seeds() -> None:
    """All but the method that the demo does not run, and the docstrings and comments with it."""
    seed = (SEED / "08-hybrid-data-manager.py").read_text()
    ours = inspect.getsource(example.HybridDataManager)
    wanted = next(node for node in ast.parse(seed).body if isinstance(node, ast.ClassDef))
    last = wanted.body.pop()
    assert isinstance(last, ast.FunctionDef)
    assert last.name == "sync_repositories"
    assert without_types(ast.parse(ours).body[0]) == without_types(wanted)
    assert all(f"{comment}\n" in seed for comment in comments(ours))


def test_the_rules_are_the_seeds() -> None:
    seed = yaml.safe_load((SEED / "02-basic-config.yaml").read_text())
    assert yaml.safe_load(configuration.RULES) == {"routing": seed["routing"]}


def test_the_buckets_and_objects_are_those_of_the_example() -> None:
    source = inspect.getsource(example.run_example)
    assert {bucket for _, bucket, _, _ in object_table.EXPECTED} == set(example.BUCKETS)
    for _, bucket, key, body in object_table.EXPECTED:
        for word in (bucket, key, body.decode()):
            assert f'"{word}"' in source


def test_the_configuration_holds_any_secret_as_text() -> None:
    odd = Keys("k: 'x' #1", 'a"b\\c: {d} %e')
    text = configuration.configuration(odd, {"s3": ("http://127.0.0.1:1", odd)}, 8080)
    document = yaml.safe_load(text)
    (identity,) = document["auth"]["identities"]
    assert identity["access_key_id"] == odd.access_key_id
    assert document["targets"]["s3"]["secret_access_key"] == odd.secret_access_key
