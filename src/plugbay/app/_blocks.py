"""Plugins that block a worker's loop: each time is reported, and too many end in quarantine."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from plugbay.app._blame import describe
from plugbay.control import PluginEvent

if TYPE_CHECKING:
    from plugbay.control import Agent
    from plugbay.kernel import Clock
    from plugbay.runtimes import Blocked
    from plugbay.settings import PolicySettings

_log = logging.getLogger("plugbay.worker")


class Blocks:
    """Counts them within the policy's window."""

    def __init__(self, policy: PolicySettings, clock: Clock, agent: Agent) -> None:
        self._policy, self._clock, self._agent = policy, clock, agent
        self._times: dict[str, list[float]] = {}

    def seen(self, blocked: Blocked) -> None:
        """The loop was blocked: report whose fault it was, and take the plugin out by policy."""
        if not blocked.plugin:
            _log.warning("the gateway itself %s", describe(blocked))
            return
        policy, now, plugin = self._policy, self._clock.monotonic(), blocked.plugin
        reason = describe(blocked)
        self._agent.report(
            PluginEvent(
                kind="blocked",
                plugin=plugin,
                generation=blocked.generation,
                detail=reason,
                data={"seconds": blocked.seconds},
            )
        )
        recent = [at for at in self._times.get(plugin, []) if now - at < policy.block_window]
        self._times[plugin] = recent = [*recent, now]
        if policy.blocks_to_quarantine and len(recent) >= policy.blocks_to_quarantine:
            del self._times[plugin]
            reason += f", and {len(recent)} times within {policy.block_window:g} s"
            work = self._agent.caretaker.blame(plugin, reason, quarantine=True)
            self._agent.tasks.spawn(work, name=f"quarantine {plugin}")
