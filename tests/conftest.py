"""What concerns a whole run of the tests.

Rules: nothing that a test could see; fixtures stand with the tests that use them.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.property.depth import EXAMPLES

# A run starts over a thousand interpreters. Without bytecode on disk each would compile all that it
# imports, which is half of what the start of a gateway takes.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell without job control has what it starts in the background ignore interrupts, and so do the
# programs that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# A busy machine is no defect of what is tested: pytest's own timeout ends what hangs.
settings.register_profile("tests", deadline=None, max_examples=EXAMPLES)
settings.load_profile("tests")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collects the tests with the collector of garbage off, and keeps it away from them then.

    Eight thousand tests and their parameters stay until the end. A full collection that looks at
    them takes over a second, and many tests cause one.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
