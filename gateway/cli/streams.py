"""Opens the standard streams of a command, and ends a command that cannot use them with one
line.

Rules: no user of a command sees a traceback; a stream that was closed becomes /dev/null; a command
that cannot write, or whose reader has closed the pipe, ends with exit status 1.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator

from gateway.supervisor.descriptors import fill_standard_descriptors

EXIT_FAILED = 1
EXIT_INTERNAL = 70  # EX_SOFTWARE


def open_standard_streams() -> None:
    """Opens the streams that were closed when Python started."""
    fill_standard_descriptors()
    for name, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            mode = "r" if descriptor == 0 else "w"
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


@contextlib.contextmanager
def without_tracebacks() -> Iterator[None]:
    """Makes Python end the process with one line instead of a traceback."""
    try:
        yield
        _flush()
    except SystemExit as leaving:
        try:
            _flush()
        except OSError as error:
            _end(f"cannot write: {error.strerror}", EXIT_FAILED)
        raise leaving
    except BrokenPipeError:
        _end("", EXIT_FAILED)  # `| head`: the reader has enough
    except KeyboardInterrupt:
        _end("interrupted", EXIT_FAILED)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        _end(f"failed: {what or error}", EXIT_FAILED)
    except Exception as fault:
        frame = traceback.extract_tb(fault.__traceback__, limit=-1)[-1]
        place = f"{os.path.basename(frame.filename)}:{frame.lineno}"
        text = " ".join(str(fault).split())
        _end(f"internal error: {type(fault).__name__}: {text} at {place}", EXIT_INTERNAL)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _end(message: str, status: int) -> None:
    """Prints one line if standard error takes it; discards what the streams still hold."""
    if message:
        with contextlib.suppress(OSError):
            os.write(2, f"s3gateway: {message}\n".encode())
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)  # or the interpreter would complain about them at its end
    raise SystemExit(status) from None
