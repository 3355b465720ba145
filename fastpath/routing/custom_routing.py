"""The settings of a custom router that workers need."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CustomRouting:
    """How the custom router is asked, and what becomes of a request when it fails.

    timeout_seconds: how long one question may take.
    refuses: a request that it fails is refused (503); otherwise the rules decide.
    reads: the targets where reads and deletes look, in order, whatever the router answers; empty:
        the router's answer decides about them too.
    address: the router's abstract socket address, without the NUL before it.
    """

    timeout_seconds: float
    refuses: bool
    reads: tuple[str, ...]
    address: bytes
