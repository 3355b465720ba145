"""Entry: `python -m gateway.supervisor JSON`, the launch settings as one argument.

Rules: it is started by `s3gateway serve`, in the same process (exec), so that the pid a service
supervisor knows is ours.

Not here: flags, environment, files (`gateway.cli`, `gateway.config`).
"""

from __future__ import annotations

import json
import os
import sys

from gateway.supervisor import environment, tempo
from gateway.supervisor.descriptors import fill_standard_descriptors, unblock_standard_error
from gateway.supervisor.notices import Notices
from gateway.supervisor.supervisor import EXIT_STARTUP, Supervisor

EXIT_USAGE = 2


def main(arguments: list[str]) -> int:
    """Runs a supervisor; its exit status."""
    fill_standard_descriptors()
    unblock_standard_error()
    environ = environment.stow()
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
        times = tempo.read(os.environ)
    except tempo.TempoError as error:
        notices.error(str(error))
        return EXIT_STARTUP
    return Supervisor({**launch, "environ": environ}, times, notices).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
