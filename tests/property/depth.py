"""How many examples property tests try: TEST_DEPTH=5 tries five times as many, as `.ci/run` does.

Rules: `make test` sees each property hold for some dozens of new examples in each run; what takes
thousands to be found is for CI, and for `make fuzz`.
"""

from __future__ import annotations

import os

DEPTH = int(os.environ.get("TEST_DEPTH", "1"))
EXAMPLES = 50 * DEPTH  # of a property that says nothing else
