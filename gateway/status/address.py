"""Says where a control process answers its operator, and how much both ends take.

@s3gateway-control-PID     PID: of the supervisor, as the ready line's process and a pidfile name it
one JSON line ->           {"command": "disable", "target": "lakefs"}
<- one JSON line           {"ok": true, ...}, or {"ok": false, "error": "...", "remedy": "..."}
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "s3gateway-control-"

# A command and the name of a target; no name is longer than 64 bytes.
REQUEST_BYTES: Final = 4096
# 256 workers and 10,000 targets with their breakers are below 8 MiB.
ANSWER_BYTES: Final = 16 << 20
# An answer takes milliseconds; control may be reading 100,000 rules meanwhile, which takes seconds.
ANSWER_SECONDS: Final = 10.0
# A reload is answered when every worker serves it; what takes longer than this hangs.
RELOAD_SECONDS: Final = 160.0
# Somebody waits with a finger on the tab key.
COMPLETION_SECONDS: Final = 1.0
# Characters of a digest that are printed for people, of 64.
DIGEST_SHOWN: Final = 16


def address(supervisor: int) -> bytes:
    """Returns the abstract address of the control process of a supervisor."""
    return f"\0{PREFIX}{supervisor}".encode()
