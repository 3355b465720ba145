"""`s3gateway demo`: two S3 servers, the gateway in front of them, where each object was stored, and
a bucket that is moved from one to the other.

Rules: no process and no file outlives the demo, whatever ends it; everything stays on 127.0.0.1;
what is shown of objects is read from the servers themselves, not through the gateway.
"""

from __future__ import annotations

import sys


def run(once: bool, port: int) -> int:
    """Runs the demo; returns the exit status. Port 0 lets the kernel choose.

    With `once` it ends after the comparison, else it serves until it is interrupted.
    """
    try:
        # Imported here: the demo's libraries are an extra, and its package must load without them.
        from gateway.demo.run import tell
    except ImportError as missing:
        print(
            f"the demo needs its extra ({missing}): pip install 's3gateway[demo]'", file=sys.stderr
        )
        return 1
    return tell(once, port)
