"""The environment: control has all of it, supervisor and workers what they need.

Any variable may hold a secret (`${VAR}` in the configuration), and what a process was started with
is read in /proc/PID/environ for its whole life, by its children's too. So the supervisor starts
itself again with the few that it and the workers need, and hands the others to control in a file of
memory, which only the two of them hold.

Rules: a variable is kept by name, and none whose name speaks of a secret.

Not here: what the variables say (`gateway.config`).
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Final

# The number of the file's descriptor, for the time of the exec.
_DESCRIPTOR: Final = "S3GATEWAY_ENVIRON_DESCRIPTOR"

# Python, the C library, OpenSSL, the resolver and the allocator read these, and we S3GATEWAY_.
_KEPT: Final = re.compile(
    r"(?:PATH|HOME|PWD|TMPDIR|TZ|TZDIR|TERM|LANG|LANGUAGE|USER|LOGNAME|SHELL|SHLVL|HOSTNAME|_"
    r"|VIRTUAL_ENV|RES_OPTIONS|LOCALDOMAIN|HOSTALIASES|GLIBC_TUNABLES|SSL_CERT_FILE|SSL_CERT_DIR"
    r"|SSLKEYLOGFILE|(?:LC_|LD_|MALLOC_|PYTHON|OPENSSL_|UV_|S3GATEWAY_)[A-Z0-9_]*)\Z"
)
_SECRET: Final = re.compile(
    r"SECRET|TOKEN|PASSW|PASSPHRASE|CREDENTIAL|ACCESS_?KEY|PRIVATE|API_?KEY|_KEY\Z", re.IGNORECASE
)


def is_kept(name: str) -> bool:
    """Whether supervisor and workers have this variable."""
    return _KEPT.match(name) is not None and _SECRET.search(name) is None


def stow() -> int:
    """Starts this process again without the variables it does not need, unless it has none.

    Returns, then or at once, the descriptor of the whole environment; -1: it is ours as it is.
    """
    if _DESCRIPTOR in os.environ:
        descriptor = int(os.environ.pop(_DESCRIPTOR))
        os.set_inheritable(descriptor, False)
        return descriptor
    kept = {name: value for name, value in os.environ.items() if is_kept(name)}
    if len(kept) == len(os.environ):
        return -1
    try:
        descriptor = os.memfd_create("environment", 0)  # without MFD_CLOEXEC
    except OSError:
        return -1  # a sandbox without it: as it was
    rest = memoryview(json.dumps(dict(os.environ)).encode())
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    kept[_DESCRIPTOR] = str(descriptor)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept)


def take(descriptor: int) -> None:
    """In control: gives the process the whole environment."""
    if descriptor < 0:
        return
    data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    os.environ.clear()
    os.environ.update(json.loads(data))
