"""The settings of a custom router that workers need."""

from __future__ import annotations

from dataclasses import dataclass

from fastpath.routing.chain import CUSTOM_ROUTER, Chain, Decision


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

    @property
    def chain_of_reads(self) -> Chain:
        """The places of every key; there is one at least in `reads`."""
        places = tuple(Decision(target, CUSTOM_ROUTER) for target in self.reads)
        return Chain(places, len(places))
