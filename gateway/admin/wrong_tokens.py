"""Tells the operator of wrong tokens: the first at once, then how many in a minute.

Rules: whoever guesses writes no more lines than this; no line holds what was guessed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

TOLD_AGAIN_SECONDS: Final = 60.0


class WrongTokens:
    """The wrong tokens of one admin plane; `warn` takes the lines."""

    def __init__(
        self, warn: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._warn = warn
        self._clock = clock
        self._told_at = -math.inf
        self._untold = 0

    def count(self, address: str) -> None:
        """Takes a request with a wrong token, of a client at this address."""
        self._untold += 1
        now = self._clock()
        if now < self._told_at + TOLD_AGAIN_SECONDS:
            return
        many, self._untold, self._told_at = self._untold, 0, now
        count = f"{many} wrong tokens, the last one" if many > 1 else "a wrong token"
        self._warn(f"the admin plane got {count} from {address}")
