"""Checks environment variables: the values of those that are read, and names close to theirs.

`serve` reads variables for which other commands have no flag. Each is checked here unless a flag
replaces it, so that `check` finds what would stop `serve`.

Rules: a value is repeated only if it cannot be a secret; a name that nothing reads causes a warning
if it begins with S3GATEWAY_ or is close to a name that is read.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from gateway.config.layers import VARIABLES
from gateway.config.problems import Place, Problem, Problems, Severity, did_you_mean, one_of
from gateway.config.value_types import KEY_ID, SECRET
from gateway.supervisor import timeouts

LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")
MAX_DRAIN_SECONDS = 86400.0
TRUE = frozenset(("1", "true", "t", "yes", "y", "on"))  # as click reads a switch
FALSE = frozenset(("0", "false", "f", "no", "n", "off"))

# A finding: what is wrong, and what helps.
_Fault = tuple[str, str] | None


def _word(words: Collection[str]) -> Callable[[str], _Fault]:
    def check(text: str) -> _Fault:
        if text in words:
            return None
        return f"must be {one_of(words)}", did_you_mean(text, words)

    return check


def _place_for_file(text: str) -> _Fault:
    if Path(text).is_dir():
        return "is a directory", "name a file in it"
    if not Path(text).absolute().parent.is_dir():
        return "is in a directory that does not exist", "make it first"
    return None


def _access_log(text: str) -> _Fault:
    return None if text in ("-", "off") else _place_for_file(text)


def _drain(text: str) -> _Fault:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    return None if 0 <= seconds <= MAX_DRAIN_SECONDS else ("must be seconds from 0 to 86400", "")


def _switch(text: str) -> _Fault:
    return None if text.lower() in TRUE | FALSE else ("must be true or false", "")


def _timeout(variable: str) -> Callable[[str], _Fault]:
    def check(text: str) -> _Fault:
        try:
            timeouts.read({variable: text})
        except timeouts.TimeoutsError:
            return "must be seconds from 0.1 to 86400", ""
        return None

    return check


# Variable -> the launch setting that it stands for, and what its value must be. Workers and listen
# addresses are part of the tree (`layers`).
_CHECKED: Mapping[str, tuple[str, Callable[[str], _Fault]]] = {
    "S3GATEWAY_ACCESS_LOG": ("access_log", _access_log),
    "S3GATEWAY_BESIDE": ("beside", _switch),
    "S3GATEWAY_DRAIN_TIMEOUT": ("drain_seconds", _drain),
    "S3GATEWAY_INSECURE_OPEN": ("insecure_open", _switch),
    "S3GATEWAY_LOG_FORMAT": ("log_format", _word(LOG_FORMATS)),
    "S3GATEWAY_LOG_LEVEL": ("log_level", _word(LOG_LEVELS)),
    "S3GATEWAY_PIDFILE": ("pidfile", _place_for_file),
    **{name: ("", _timeout(name)) for name in timeouts.VARIABLES},
}
OWN = frozenset(
    (
        *_CHECKED,
        "S3GATEWAY_ADMIN",
        "S3GATEWAY_CONFIG",
        "S3GATEWAY_ENVIRONMENT",
        "S3GATEWAY_LISTEN",
        "S3GATEWAY_WORKERS",
    )
)

# What botocore's chain reads besides; the endpoints of other services are below a common beginning.
_AWS = frozenset(
    (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CA_BUNDLE",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_EC2_METADATA_DISABLED",
    )
)
_KNOWN = OWN | _AWS | {name for name, _ in VARIABLES} | {"ENVIRONMENT"}
_ENDPOINTS = "AWS_ENDPOINT_URL_"

_FAMILY = re.compile(r"S3_?GATE?WAY|S3_?GW_|LAKE_?FS_|AWS_")
# What Kubernetes sets in a pod for a Service of this name (its docs, "Environment variables").
_SERVICE = re.compile(r"(?:S3GATEWAY|LAKEFS)_(?:SERVICE_(?:HOST|PORT)|PORT)(?:_.*)?\Z")
# 0.8: AWS_SECRET_KEY is warned of, LAKEFS_INSTALLATION_SECRET_ACCESS_KEY (lakeFS's own) is not.
_CLOSE = 0.8


def check_variables(
    environ: Mapping[str, str], launch: Mapping[str, object], problems: Problems
) -> None:
    """Reports bad values of variables that are read."""
    for name, (setting, check) in _CHECKED.items():
        text, given = environ.get(name, ""), launch.get(setting)
        if text and (given is None or given is False):
            _report(name, check(text), problems)
    for name in ("S3GATEWAY_BESIDE", "S3GATEWAY_INSECURE_OPEN"):
        switch = launch.get(_CHECKED[name][0])
        if isinstance(switch, str):  # the command line passes on what it cannot read
            _report(name, _switch(switch), problems)
    for name, fault in _aws_faults(environ):
        _report(name, fault, problems, Severity.WARNING)


def _aws_faults(environ: Mapping[str, str]) -> Iterator[tuple[str, _Fault]]:
    """Yields faults of variables that botocore would fail on or ignore."""
    key_id, secret = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
    for name, other, grammar in ((key_id, secret, KEY_ID), (secret, key_id, SECRET)):
        text = environ.get(name, "")
        if text and not re.fullmatch(grammar, text):
            yield name, ("is no key: it must be printable ASCII", "look for a line end in it")
        if text and not environ.get(other):
            yield name, (f"is set, but {other} is not", "set both or neither")
    ignored = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower()
    if ignored not in ("", "true", "false"):
        yield "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", ("is neither true nor false", "")


def warn_of_unread(environ: Mapping[str, str], used: Collection[str], problems: Problems) -> None:
    """Warns of names that look like those that are read; `used` are the names in `${VAR}`s."""
    for name in sorted(environ):
        if name in _KNOWN or name in used or not _FAMILY.match(name):
            continue
        if name.startswith(_ENDPOINTS) or _SERVICE.match(name):
            continue
        close = difflib.get_close_matches(name, sorted(_KNOWN), n=1, cutoff=_CLOSE)
        if close or name.startswith("S3GATEWAY_"):
            hint = f"did you mean {close[0]}?" if close else ""
            _report(name, ("nothing reads this variable", hint), problems, Severity.WARNING)


def _report(
    name: str, fault: _Fault, problems: Problems, severity: Severity = Severity.ERROR
) -> None:
    if fault is not None:
        problems.add(Problem(Place(f"${name}"), f"environment.{name}", *fault, severity=severity))
