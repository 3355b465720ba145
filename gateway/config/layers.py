"""Turns environment variables and flags into trees, and lays trees over each other.

Order, weakest first: environment variables (`LAKEFS_*`, `AWS_*`), the documents without
`routing.environment`, the selected document, flags. Mappings merge key by key; lists and values
replace. Each value keeps its place, which `config --origin` prints.

Rules: an empty environment variable counts as unset; if a stronger layer gives a credential in one
way (inline, `_file`, `aws_profile`), the weaker layer's other ways are removed, so two never mix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.config.problems import Path, Place, Problem, Problems, did_you_mean, one_of
from gateway.config.yaml_tree import BUILT_IN_TARGETS, DEFAULT_TARGET, Scalar, Tree, Value

# Variables that stand for settings. If two name one setting, the later entry wins.
VARIABLES: tuple[tuple[str, Path], ...] = (
    ("LAKEFS_ENDPOINT", ("targets", "lakefs", "endpoint")),
    ("LAKEFS_ACCESS_KEY_ID", ("targets", "lakefs", "access_key_id")),
    ("LAKEFS_SECRET_ACCESS_KEY", ("targets", "lakefs", "secret_access_key")),
    ("AWS_DEFAULT_REGION", ("targets", "s3", "region")),
    ("AWS_REGION", ("targets", "s3", "region")),
    ("AWS_ENDPOINT_URL", ("targets", "s3", "endpoint")),
    ("AWS_ENDPOINT_URL_S3", ("targets", "s3", "endpoint")),
)

KEY_SETTINGS = ("access_key_id", "secret_access_key")


def put(tree: Tree, path: Path, value: Value, place: Place) -> None:
    """Sets one value and makes the mappings above it."""
    node = tree.data
    for step in path[:-1]:
        inner = node.setdefault(str(step), {})
        assert isinstance(inner, dict)
        node = inner
    node[str(path[-1])] = value
    tree.values[path] = place


def from_environ(environ: Mapping[str, str]) -> Tree:
    """Returns what the environment says about the targets `lakefs` and `s3`."""
    tree = Tree()
    ignored = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true"
    for name, path in VARIABLES:
        value = environ.get(name, "")
        if value and not (ignored and name.startswith("AWS_ENDPOINT_URL")):
            put(tree, path, Scalar(value, plain=False), Place(f"${name}"))
    return tree


def without_file() -> Tree:
    """Returns the routing of a gateway that has no file."""
    tree = Tree()
    place = Place("built-in")
    rules: list[Value] = []
    for index, pattern in enumerate(("lakefs-*", "versioned-*")):
        rules.append({"pattern": Scalar(pattern), "target": Scalar("lakefs")})
        for name in ("pattern", "target"):
            tree.values[("routing", "rules", index, name)] = place
    put(tree, ("routing", "rules"), rules, place)
    put(tree, ("routing", "default_target"), Scalar(DEFAULT_TARGET), place)
    return tree


def from_flags(launch: Mapping[str, object], environ: Mapping[str, str]) -> Tree:
    """Returns what `--listen`, `--admin` and `--workers`, or their S3GATEWAY_ variables, say."""
    tree = Tree()
    listen, variable = launch.get("listen"), environ.get("S3GATEWAY_LISTEN", "").split()
    addresses = [listen] if isinstance(listen, str) else list(_texts(listen)) or variable
    if addresses:
        items: list[Value] = [Scalar(address, plain=False) for address in addresses]
        source = "$S3GATEWAY_LISTEN" if addresses == variable else "--listen"
        put(tree, ("router", "listen_address"), items, Place(source))
    for name, setting in (("workers", "workers"), ("admin", "admin_address")):
        variable_of = f"S3GATEWAY_{name.upper()}"
        said = environ.get(variable_of) or None
        value = said if launch.get(name) is None else str(launch[name])
        if value is not None:
            source = f"${variable_of}" if value == said else f"--{name}"
            put(tree, ("router", setting), Scalar(value), Place(source))
    return tree


def _texts(values: object) -> Sequence[str]:
    return [str(value) for value in values] if isinstance(values, list | tuple) else []


def move_shorthands(tree: Tree, problems: Problems) -> None:
    """Moves `lakefs:` and `s3:` into `targets`."""
    targets = tree.data.get("targets")
    for name in BUILT_IN_TARGETS:
        if isinstance(targets, dict) and name in targets:
            tree.short.discard(name)
        if name not in tree.data:
            continue
        if isinstance(targets, dict) and name in targets:
            place = tree.keys[(name,)]
            problems.add(Problem(place, name, f"is given twice: here and as targets.{name}"))
            del tree.data[name]
            continue
        if targets is None:
            targets = tree.data["targets"] = {}
        if not isinstance(targets, dict):
            continue  # reported when `targets` is read
        value = tree.data.pop(name)
        targets[name] = {} if value is None else value
        for places in (tree.keys, tree.values):
            for path in [path for path in places if path[0:1] == (name,)]:
                places[("targets", *path)] = places.pop(path)
        tree.broken |= {("targets", *path) for path in tree.broken if path[0:1] == (name,)}


def select(
    documents: Sequence[Tree], chosen: str | None, *, insist: bool, problems: Problems
) -> Sequence[Tree]:
    """Selects documents, weakest first: those without an environment, then the chosen one.

    With `insist` the choice was made by a flag, so there must be a document for it.
    """
    common = [document for document in documents if _environment(document) is None]
    offered: dict[str, Tree] = {}
    for document in documents:
        name = _environment(document)
        if name is None:
            continue
        if name in offered:
            _report(document, f"a second document for the environment {name}", "", problems)
        offered.setdefault(name, document)
    if not offered:
        if chosen and insist and documents:
            message = f"no document is for the environment {chosen}"
            problems.add(Problem(Place("--environment"), "routing.environment", message))
        return common
    if chosen:
        if chosen not in offered:
            message = f"no document is for the environment {chosen}"
            hint = did_you_mean(chosen, offered) or f"offered: {one_of(offered)}"
            _report(next(iter(offered.values())), message, hint, problems)
            return common
        return [*common, offered[chosen]]
    if len(offered) > 1:
        message = f"the file offers the environments {', '.join(offered)}; none is selected"
        hint = "use --environment or $ENVIRONMENT"
        _report(next(iter(offered.values())), message, hint, problems)
        return common
    return [*common, *offered.values()]


_ENVIRONMENT: Path = ("routing", "environment")


def _environment(document: Tree) -> str | None:
    name = document.get(_ENVIRONMENT)
    return name if isinstance(name, str) and name else None


def _report(document: Tree, message: str, hint: str, problems: Problems) -> None:
    place = document.values[_ENVIRONMENT]
    problems.add(Problem(place, "routing.environment", message, hint))


def overlay(base: Tree, top: Tree) -> Tree:
    """Lays `top` over `base`. Both are used up, so that places need not be copied."""
    dropped: set[Path] = set()
    data = _merge(base.data, top.data, (), dropped)
    result = Tree(data, broken=base.broken | top.broken)
    result.short = {
        name
        for name in BUILT_IN_TARGETS
        if name in (top if ("targets", name) in top.keys else base).short
    }
    result.values = _merged_places(base.values, top.values, dropped)
    result.keys = _merged_places(base.keys, top.keys, dropped)
    return result


def _merged_places(
    below: dict[Path, Place], above: dict[Path, Place], dropped: set[Path]
) -> dict[Path, Place]:
    """Puts the places of both into the larger mapping: 100,000 rules have over a million."""
    if len(above) > len(below):
        for path, place in below.items():
            if path not in above and not _under(path, dropped):
                above[path] = place
        return above
    for path in [path for path in below if _under(path, dropped)] if dropped else ():
        del below[path]
    below.update(above)
    return below


def _under(path: Path, dropped: set[Path]) -> bool:
    return bool(dropped) and any(path[:length] in dropped for length in range(1, len(path) + 1))


def _merge(
    base: dict[str, Value], top: dict[str, Value], path: Path, dropped: set[Path]
) -> dict[str, Value]:
    result = dict(base)
    for name in _superseded(base, top):
        del result[name]
        dropped.add((*path, name))
    for name, value in top.items():
        below = result.get(name)
        inner = (*path, name)
        if isinstance(below, dict) and isinstance(value, dict):
            result[name] = _merge(below, value, inner, dropped)
        elif isinstance(below, dict) and value is None:
            continue  # a section whose settings are all commented out changes nothing
        else:
            if name in result:
                dropped.add(inner)
            result[name] = value
    return result


def _superseded(base: Mapping[str, Value], top: Mapping[str, Value]) -> list[str]:
    """Returns the settings of `base` that give in another way what `top` gives."""
    gone: list[str] = []
    for name in KEY_SETTINGS:
        gone += [name] if f"{name}_file" in top else []
        gone += [f"{name}_file"] if name in top else []
        if "aws_profile" in top:
            gone += [name, f"{name}_file"]
        if name in top or f"{name}_file" in top:
            gone.append("aws_profile")
    return [name for name in dict.fromkeys(gone) if name in base]
