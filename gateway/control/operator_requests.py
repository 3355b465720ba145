"""Answers what an operator asks of control: status, disable, enable, reload, drain.

Rules: each change is a line of the log that says who made it; a name that is not known gets a
suggestion; nothing is changed by a request that is not understood.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from gateway.config.problems import suggest
from gateway.control.reload_trial import Trial
from gateway.control.reloads import Reload
from gateway.control.status import Known, status
from gateway.control.target_switches import TargetSwitches
from gateway.supervisor.notices import Notices

# Reading may take long (100,000 rules, slow metadata services), and then every worker acknowledges.
RELOAD_SECONDS: Final = 150.0


class Running(Protocol):
    """The control process, as far as an operator changes what it does."""

    async def reload(self) -> Reload:
        """Has the supervisor begin a reload; returns what became of it."""

    async def trial(self) -> Trial:
        """Reads the configuration as a reload would, and says what that would change."""

    async def drain(self) -> None:
        """Has the supervisor drain."""


class OperatorRequests:
    """The requests to one control process; `known` says what it knows now."""

    def __init__(self, known: Callable[[], Known], running: Running, notices: Notices) -> None:
        self._known = known
        self._running = running
        self._notices = notices

    async def answer(self, asked: Mapping[str, object], who: str) -> Mapping[str, object]:
        """Returns the answer to a request; `who` made it, as the log shall say."""
        command, target = asked.get("command"), asked.get("target")
        known = self._known()
        if command == "status":
            return {"ok": True, **status(known)}
        if command in ("disable", "enable") and isinstance(target, str):
            return self._switch(known, target, who, disabled=command == "disable")
        if command == "reload":
            return await self._reload(who, dry_run=asked.get("dry_run") is True)
        if command == "drain":
            self._notices.info(f"drain: asked for by {who}")
            await self._running.drain()
            return {"ok": True, "draining": True}
        return _refusal("the request is not understood", "use the s3gateway of the same version")

    async def _reload(self, who: str, *, dry_run: bool) -> Mapping[str, object]:
        if self._known().draining:
            return _refusal("the gateway drains", "start it again: it reads the file then")
        try:
            async with asyncio.timeout(RELOAD_SECONDS):
                if dry_run:
                    return (await self._running.trial()).as_dict()
                self._notices.info(f"reload: asked for by {who}")
                return (await self._running.reload()).as_dict()
        except TimeoutError:
            return _refusal(
                f"nothing is known of the reload after {RELOAD_SECONDS:g} seconds",
                "see the log: it says when a generation is served, or why not",
            )

    def _switch(
        self, known: Known, target: str, who: str, *, disabled: bool
    ) -> Mapping[str, object]:
        if known.page is None:
            return _refusal("the gateway is starting", "try again when it is ready")
        switches = TargetSwitches(known.page)
        configured = known.present.model.targets if known.present is not None else ()
        names = {*configured, *switches.disabled()}
        if target not in names:
            return _refusal(f"{target!r} is no target that is in use", suggest(target, names))
        if not switches.has_one(target):
            return _refusal(
                f"target {target} has no counters of its own: a reload has added it, and there "
                "was no room left",
                "restart the gateway, or send its buckets elsewhere with a rule",
            )
        changed = switches.set(target, disabled=disabled)
        left = [name for name in configured if not switches.is_disabled(name)]
        if changed:
            self._log(target, who, disabled=disabled, last=disabled and not left)
        return {
            "ok": True,
            "target": target,
            "disabled": disabled,
            "changed": changed,
            "enabled_targets": left,
        }

    def _log(self, target: str, who: str, *, disabled: bool, last: bool) -> None:
        if disabled:
            until = f"until `s3gateway enable {target}` or a restart of the gateway"
            none = "; no target is enabled now" if last else ""
            self._notices.warning(f"target {target}: is disabled by {who} {until}{none}")
        else:
            self._notices.info(f"target {target}: is enabled again by {who}")


def _refusal(error: str, remedy: str) -> Mapping[str, object]:
    return {"ok": False, "error": error, "remedy": remedy}
