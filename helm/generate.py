"""Makes the chart's values.schema.json and README.md of its values and the configuration's model.

python -m helm.generate            writes both
python -m helm.generate --check    exits 1 if one of them is not current
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from gateway.config.json_schema import DRAFT, of_config
from helm.values import CHART, Value, read

# What a ConfigMap shows to everybody who may read it is never a secret, but the name of a variable.
SECRET = {
    "type": "string",
    "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$",
    "description": "A variable of secrets.env, as ${NAME}; or use the setting that names a file.",
}

Schema = dict[str, Any]


def schema(values: list[Value]) -> Schema:
    """Returns the schema of values.yaml."""
    config, definitions = of_config(SECRET)
    properties = _properties(values, 0)
    properties["config"] = config
    # Helm gives every chart this one, and those that others depend on `enabled`.
    properties["global"] = {"type": "object"}
    properties["enabled"] = {"type": "boolean"}
    return {
        "$schema": DRAFT,
        "title": "Values of the chart s3gateway",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "definitions": definitions,
    }


def _properties(values: list[Value], depth: int) -> Schema:
    """Returns the schemas of these values, which have all but their last names in common."""
    found: Schema = {}
    for value in values:
        name = value.path[depth]
        if len(value.path) == depth + 1:
            found[name] = {"description": value.description, **_of(value)}
        elif name not in found:
            inner = [
                other for other in values if other.path[: depth + 1] == value.path[: depth + 1]
            ]
            properties = _properties(inner, depth + 1)
            found[name] = {
                "type": "object",
                "additionalProperties": False,
                "properties": properties,
            }
    return found


def _of(value: Value) -> Schema:
    if isinstance(value.schema, dict):
        return dict(value.schema)
    kinds = {bool: "boolean", str: "string"}
    if value.schema is None and type(value.default) not in kinds:
        raise ValueError(f"{value.name}: its default does not show what it may be: add # @schema")
    return {"type": kinds.get(type(value.default), "object")}


def readme(values: list[Value]) -> str:
    """Returns the text of the chart's README."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    rows = [
        f"| `{value.name}` | {_cell(value.description)} | {_default(value)} |" for value in values
    ]
    return HEAD.format(**chart) + "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(value: Value) -> str:
    shown = json.dumps(value.default, ensure_ascii=False)
    return f"`{_cell(shown)}`" if len(shown) <= 80 else "see values.yaml"


HEAD = """\
# s3gateway {version}

{description}. For Kubernetes {kubeVersion}; tested with Helm 4.3.

This page is made by `python -m helm.generate` of the comments in [values.yaml](values.yaml);
[docs/kubernetes.md](../../docs/kubernetes.md) is the guide, [ci/](ci) has values that are tested.

<!-- not run: needs a cluster; tests/documents/test_helm_lines.py renders what is installed -->
```sh
kubectl create secret generic s3gateway \\
  --from-literal=sealing-secret="$(openssl rand -hex 32)" \\
  --from-literal=analytics-key-id=ANALYTICS \\
  --from-literal=analytics-secret="$(openssl rand -hex 32)" \\
  --from-literal=store-key-id=... --from-literal=store-secret=...
helm install s3gateway helm/s3gateway --set image.repository=registry.example.com/s3gateway \\
  --values helm/s3gateway/ci/minimal-values.yaml
```

| value | what it is | default |
|---|---|---|
"""


def made() -> dict[Path, str]:
    """Returns the texts of the generated files."""
    values = read()
    return {
        CHART / "values.schema.json": json.dumps(schema(values), indent=1) + "\n",
        CHART / "README.md": readme(values),
    }


def main(words: list[str]) -> int:
    """Writes the files, or says which are not current."""
    stale = [path for path, text in made().items() if not _is(path, text)]
    if words == ["--check"]:
        for path in stale:
            print(f"{path}: not current: python -m helm.generate", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(made()[path])
        print(f"{path}: written")
    return 0


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
