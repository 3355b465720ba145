"""Runs what takes long for the admin plane in threads of its own.

Rules: the threads of the event loop are for reloads and credentials, which must not wait behind
whoever reads metrics or asks for explanations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# One may read a configuration of 100,000 rules for seconds, while the other one renders metrics.
_THREADS: Final = ThreadPoolExecutor(2, thread_name_prefix="admin")


async def in_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Returns what `work` returns; raises what it raises."""
    call = partial(work, *arguments, **named)
    return await asyncio.get_running_loop().run_in_executor(_THREADS, call)
