"""The network of a run: loopback alone, its connections not paced.

Rules: a run as root moves into a network namespace of its own, which has a loopback interface and
nothing else; the machine's own settings are never changed. There it takes cubic, which Linux is
shipped with, or reno where the kernel lets a namespace have no cubic: without loss, and loopback
loses nothing, the two are one. A machine's BBR paces every socket with timers, for the sake of a
bottleneck that loopback does not have; what that costs everybody is the chapter `congestion`, and
docs/adr/0007-congestion.md says why contenders are not compared under it. Where a run cannot move,
it takes the machine's network as it is; the result names the congestion control either way.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

UNPACED = ("cubic", "reno")  # the first that the kernel allows
_SETTING = Path("/proc/sys/net/ipv4/tcp_congestion_control")
_MARK = "S3GATEWAY_BENCH_NETWORK"  # in the environment of the process that has moved
_SIOCSIFFLAGS = 0x8914  # netdevice(7)
_IFF_UP = 0x1


def move(words: Sequence[str], module: str = "loadtest.bench") -> None:
    """Start this command again in a network of its own, where that can be done; else return.

    Returns in the process that has moved as well: then loopback is up and the setting is made.
    """
    if os.environ.pop(_MARK, None):
        _raise_loopback()
        use(*UNPACED)
        return
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        return
    environ = {**os.environ, _MARK: "own"}
    command = [unshare, "--net", sys.executable, "-m", module, *words]
    os.execve(unshare, command, environ)


def use(*controls: str) -> None:
    """Connections made from now on use the first of `controls` that the kernel allows here.

    Raises OSError where it allows none.
    """
    refused: OSError | None = None
    for name in controls:
        try:
            _SETTING.write_text(name)
        except OSError as fault:  # a namespace may have what its machine uses or allows, and reno
            refused = fault
        else:
            return
    if refused is not None:
        raise refused


def control() -> str:
    """The congestion control of new connections."""
    return _SETTING.read_text().strip()


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", _IFF_UP)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)
