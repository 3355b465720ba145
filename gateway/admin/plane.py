"""What the answers of the admin plane are made of: control, as far as it may be asked and changed.

Rules: control makes it, and gives it what it knows now with each question; nothing of it is kept
here but the caches of a page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fastpath.sockets.tls_settings import Certificate
from gateway.admin.access import Access
from gateway.control.recent_requests import RecentRequests
from gateway.control.status import Known

# Gets a request of an operator, and who makes it (`control.operator_requests`).
Operating: TypeAlias = Callable[[Mapping[str, object], str], Awaitable[Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class Plane:
    """One control process, for its admin plane.

    launch: the settings that the gateway was started with.
    report: takes what went wrong with an answer, for the log.
    warn: takes what an operator should look at, for the log.
    """

    known: Callable[[], Known]
    access: Callable[[], Access]
    certificate: Callable[[], Certificate | None]
    operate: Operating
    recent: RecentRequests
    launch: Mapping[str, object]
    report: Callable[[str], None]
    warn: Callable[[str], None]
