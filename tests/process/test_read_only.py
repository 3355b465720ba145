"""A gateway on a file system that nothing can be written to: every mount is read-only, /tmp too."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.process.conftest import OBJECT
from tests.process.harness import Gateway

# A mount namespace of its own, in which all that can be written is mounted again, read-only;
# ends with 9 if a file can still be made somewhere.
SCRIPT = """
mount --make-rprivate /
while read -r _ place _ options _; do
  case $place,$options in /proc*|/sys*) ;; *,rw*) mount -o remount,bind,ro "$place" || exit 8;; esac
done </proc/self/mounts
for place in / /tmp /var/tmp /dev/shm "$PWD" "$HOME"; do
  if touch "$place/written" 2>/dev/null; then exit 9; fi
done
exec "$@"
"""
PREFIX = ("unshare", "--mount", "sh", "-c", SCRIPT, "sh")


def test_it_serves_reloads_and_replaces_processes_without_writing_a_file(
    config: dict[str, object],
) -> None:
    if subprocess.run([*PREFIX, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no right to mount")
    with Gateway.start(config, prefix=PREFIX, prefix_execs=True, admin="127.0.0.1:0") as gateway:
        gateway.wait_for_log("admin plane on")
        large = b"x" * 3_000_000  # spliced, and read from a pipe
        assert gateway.request("PUT", "/bucket/large", large).status == 200
        assert gateway.request("GET", "/bucket/key").body == OBJECT
        assert gateway.reload() == 1
        gateway.kill_worker(0)
        gateway.wait_for_log(r"worker 0 \(pid \d+\) killed by SIGKILL, replaced by pid \d+")
        gateway.signal(signal.SIGUSR1)
        assert gateway.request("GET", "/bucket/key").status == 200
        assert gateway.stop() == 0
        assert not gateway.log_contains("error|Read-only")
