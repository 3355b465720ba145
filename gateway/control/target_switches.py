"""Disables and enables targets for the operator: a cell of control's row, which workers read.

Rules: what is disabled stays so over reloads and restarts of workers and of control, as the page
lives as long as the supervisor, and ends with that; a target without a block of its own cannot be
disabled, because the cell would be that of others too.
"""

from __future__ import annotations

from fastpath.ipc.counters import Page, TargetGauge


class TargetSwitches:
    """The cells of all targets."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def has_one(self, name: str) -> bool:
        """Whether the target has a block of its own."""
        return self._page.block(name) > 0

    def is_disabled(self, name: str) -> bool:
        """Whether the operator has disabled a target."""
        block = self._page.block(name)
        return bool(block and self._page.control_target(block).gauges[TargetGauge.DISABLED])

    def disabled(self) -> list[str]:
        """Returns the targets that are disabled, those that are not configured any more too."""
        return [name for name in self._page.names() if self.is_disabled(name)]

    def set(self, name: str, *, disabled: bool) -> bool:
        """Disables or enables a target that has a block; returns whether that changes anything."""
        changes = self.is_disabled(name) is not disabled
        cells = self._page.control_target(self._page.block(name)).gauges
        cells[TargetGauge.DISABLED] = int(disabled)
        return changes
