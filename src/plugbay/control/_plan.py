"""The next desired state, worked out and not yet made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugbay.kernel import LONGEST_START
from plugbay.sdk import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plugbay.control._messages import Facts
    from plugbay.control._model import Desired, PluginSpec
    from plugbay.kernel import ConfigVersion

KINDS = ("plugins", "routes", "upstreams", "mcp_servers", "mcp_federations")
"""What a desired state holds, by the names of its attributes; keys begin with them."""
START = Limits().start_ms / 1000
"""Seconds that a plugin has to start, unless its manifest asks for more."""
GRACE = 15.0
"""Seconds for cancelled requests to unwind and for a plugin to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The next desired state, and the config versions that come with it."""

    desired: Desired
    configs: tuple[tuple[str, ConfigVersion], ...] = ()
    waits: frozenset[str] = frozenset()
    """Plugins that start only when their old generation has ended."""
    touched: tuple[str, ...] = ()
    """`plugins/<id>`, `routes/<name>` and the like; empty: nothing is to change."""
    lacks: Mapping[str, str] = field(default_factory=dict[str, str])
    """What must be made before these plugins can run, in words."""

    def plugins(self) -> list[PluginSpec]:
        """The enabled plugins that are touched."""
        enabled = self.desired.enabled()
        return [enabled[id] for id in enabled if f"plugins/{id}" in self.touched]

    def watch(self) -> dict[str, float]:
        """How many seconds each of them is on probation."""
        return {spec.id: spec.watch for spec in self.plugins()}

    def starts(self, facts: Mapping[str, Facts]) -> float:
        """How many seconds longer than usual a worker may load and start them, as their manifests
        ask."""
        asked = (facts[spec.digest].manifest.limits.start_ms / 1000 for spec in self.plugins())
        return sum(2 * max(0.0, min(LONGEST_START, seconds) - START) for seconds in asked)

    def drains(self) -> float:
        """How many seconds a worker may wait for requests to leave before it is prepared.

        That is so where the old generation must end first: a plugin that is exchanged, or one
        that was disabled a moment ago.
        """
        return sum(spec.drain + GRACE for spec in self.plugins() if spec.id in self.waits)


def has(desired: Desired, key: str) -> bool:
    """Whether there is this `plugins/<id>`, `routes/<name>` or the like."""
    kind, _, name = key.partition("/")
    return name in getattr(desired, kind)


def touched(old: Desired, new: Desired) -> tuple[str, ...]:
    """Name everything that is not the same in both, sorted."""
    return tuple(sorted(set(_differences(old, new))))


def _differences(old: Desired, new: Desired) -> Iterator[str]:
    for kind in KINDS:
        before, after = getattr(old, kind), getattr(new, kind)
        for name in before.keys() | after.keys():
            if before.get(name) != after.get(name):
                yield f"{kind}/{name}"
    for key in old.origins.keys() | new.origins.keys():
        if old.origins.get(key) != new.origins.get(key) and has(new, key):
            yield key


def waits(old: Desired, new: Desired, facts: Mapping[str, Facts]) -> frozenset[str]:
    """Name the plugins that may have to wait for the end of an old generation."""
    before = old.enabled()
    return frozenset(
        id
        for id, spec in new.enabled().items()
        if id not in before or facts[spec.digest].manifest.reload == "exclusive"
    )
