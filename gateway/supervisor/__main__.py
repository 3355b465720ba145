"""The entry point `python -m gateway.supervisor JSON`: the launch settings are the one argument.

Rules: `s3gateway serve` starts it in its own process (exec), so that the pid which an init system
knows is that of the supervisor.
"""

from __future__ import annotations

import json
import os
import sys

from gateway.supervisor import environment
from gateway.supervisor.descriptors import fill_standard_descriptors, unblock_standard_error

EXIT_USAGE = 2


def main(arguments: list[str]) -> int:
    """Runs a supervisor; returns its exit status."""
    try:
        fill_standard_descriptors()
        unblock_standard_error()
        return _run(arguments, environment.restart_without_secrets())
    except Exception as fault:  # before there are children
        from gateway.supervisor.crash import describe
        from gateway.supervisor.notices import Notices

        Notices().error(f"supervisor crashed: {describe(fault)}")
        return os.EX_SOFTWARE


def _run(arguments: list[str], environ: int) -> int:
    # Not earlier: the interpreter that restarts itself without the secrets needs none of it.
    from gateway.supervisor import preload, timeouts
    from gateway.supervisor.notices import Notices
    from gateway.supervisor.supervisor import EXIT_STARTUP, Supervisor

    notices = Notices()
    try:
        launch = json.loads(arguments[0]) if len(arguments) == 1 else None
    except ValueError:
        launch = None
    if not isinstance(launch, dict):
        notices.error("usage: python -m gateway.supervisor JSON (started by `s3gateway serve`)")
        return EXIT_USAGE
    notices.configure(str(launch.get("log_level")), str(launch.get("log_format") or "text"))
    try:
        times = timeouts.read(os.environ)
    except timeouts.TimeoutsError as error:
        notices.error(str(error))
        return EXIT_STARTUP
    preload.standard_library()
    return Supervisor({**launch, "environ": environ}, times, notices).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
