"""Gives control the whole environment, and the supervisor and the workers only what they need.

Any variable may hold a secret (`${VAR}` in the configuration), and /proc/PID/environ shows what a
process was started with for its whole life, and that of its children. So `s3gateway serve` executes
the supervisor (and a supervisor that was started otherwise, itself) with the few variables that it
and the workers need, and with a file of memory that has all of them; only it and control hold that.

Rules: a variable is kept by its name, and none whose name suggests a secret.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Final

# Holds the number of the file's descriptor during the exec.
_DESCRIPTOR: Final = "S3GATEWAY_ENVIRON_DESCRIPTOR"

ROUTER_PREFIX: Final = "CUSTOM_ROUTER_"

# Python, the C library, OpenSSL, the resolver, the allocator and the gateway read these.
_KEPT: Final = re.compile(
    r"(?:PATH|HOME|PWD|TMPDIR|TZ|TZDIR|TERM|LANG|LANGUAGE|USER|LOGNAME|SHELL|SHLVL|HOSTNAME|_"
    r"|VIRTUAL_ENV|NOTIFY_SOCKET|RES_OPTIONS|LOCALDOMAIN|HOSTALIASES|GLIBC_TUNABLES|SSL_CERT_FILE|SSL_CERT_DIR"
    r"|SSLKEYLOGFILE|(?:LC_|LD_|MALLOC_|PYTHON|OPENSSL_|UV_|S3GATEWAY_)[A-Z0-9_]*)\Z"
)
_SECRET: Final = re.compile(
    r"SECRET|TOKEN|PASSW|PASSPHRASE|CREDENTIAL|ACCESS_?KEY|PRIVATE|API_?KEY|_KEY\Z", re.IGNORECASE
)


def is_kept(name: str) -> bool:
    """Whether supervisor and workers have this variable."""
    return _KEPT.match(name) is not None and _SECRET.search(name) is None


def for_router(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that the operator's own code gets.

    They are those of workers, and what is named for it: CUSTOM_ROUTER_*, secrets too if he so
    names them.
    """
    return {
        name: value
        for name, value in environ.items()
        if is_kept(name) or name.startswith(ROUTER_PREFIX)
    }


def whole(descriptor: int) -> Mapping[str, str]:
    """Returns all variables: of the file `descriptor`; without one, those of this process."""
    if descriptor < 0:
        return os.environ
    data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    return dict(json.loads(data))


def split() -> dict[str, str] | None:
    """Returns the variables that are kept, and how the next program finds all of them.

    None if every variable is kept, or if there is no file of memory (in a sandbox).
    """
    kept = {name: value for name, value in os.environ.items() if is_kept(name)}
    if len(kept) == len(os.environ):
        return None
    try:
        descriptor = os.memfd_create("environment", 0)  # without MFD_CLOEXEC
    except OSError:
        return None
    rest = memoryview(json.dumps(dict(os.environ)).encode())
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    kept[_DESCRIPTOR] = str(descriptor)
    return kept


def restart_without_secrets() -> int:
    """Executes this process again without the variables it does not need, if it has such.

    Returns the descriptor of the whole environment; -1 if this process has all of it.
    """
    if _DESCRIPTOR in os.environ:
        descriptor = int(os.environ.pop(_DESCRIPTOR))
        os.set_inheritable(descriptor, False)
        return descriptor
    kept = split()
    if kept is None:
        return -1
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept)


def restore(descriptor: int) -> None:
    """Gives this process, control, the whole environment."""
    if descriptor >= 0:
        given = whole(descriptor)
        os.environ.clear()
        os.environ.update(given)
