"""What the workers say of each plugin, as conditions (in the way of Kubernetes).

Everything comes from the coordinator's memory: asking costs no query and no message.
"""

# No postponed annotations here: msgspec and Litestar read them, so they must be real.

from typing import TYPE_CHECKING, Literal

import msgspec

from plugbay.control import Origin, PluginSpec, SlotReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.admin._services import Control, WorkerLink
    from plugbay.control import Desired
    from plugbay.kernel import Clock

Truth = Literal["True", "False", "Unknown"]


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One aspect of a plugin. `type` is `Converged`, `Serving` or `Quarantined`;
    `last_transition_time` is when `status` was seen to change."""

    type: str
    status: Truth
    reason: str
    message: str
    last_transition_time: float


class WorkerSlot(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin's slot in one worker."""

    worker: str
    revision: int
    slot: SlotReport | None


class PluginView(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin: what is wanted (`desired`) and what is. It has converged when
    `observed_generation` has reached `generation`."""

    id: str
    managed_by: Origin
    generation: int
    observed_generation: int
    desired: PluginSpec
    state: str
    conditions: list[Condition]
    workers: list[WorkerSlot]
    versions: list[str] = []


class Glance:
    """All that the views are made of. Each part is replaced when it changes and never edited, so
    that two glances at the same objects have seen the same."""

    __slots__ = ("_parts",)

    def __init__(self, control: "Control") -> None:
        parts: list[object] = [control.desired]
        for link in control.roster.sessions.values():
            parts += (link, link.slots, link.revision)
        self._parts = parts

    def same(self, other: "Glance") -> bool:
        """Whether nothing has changed in between."""
        mine, theirs = self._parts, other._parts
        return len(mine) == len(theirs) and all(map(_alike, mine, theirs))


def _alike(one: object, other: object) -> bool:
    return one == other if isinstance(one, int) else one is other


class StatusBoard:
    """Looks at the workers and remembers when each condition changed.

    The views are made anew only when something has changed, for they are asked for much more
    often than that.
    """

    def __init__(self, control: "Control", clock: "Clock") -> None:
        self._control, self._clock = control, clock
        self._seen: dict[tuple[str, str], tuple[Truth, float]] = {}
        self._glance: Glance | None = None
        self._views: tuple[PluginView, ...] = ()

    def look(self) -> None:
        """Note what has changed; called often enough for the times to mean something."""
        self.plugins()
        known = self._control.desired.plugins.keys()
        self._seen = {key: value for key, value in self._seen.items() if key[0] in known}

    def plugin(self, id: str) -> PluginView | None:
        """One plugin, or None."""
        desired = self._control.desired
        if id not in desired.plugins:
            return None
        return self._view(desired, desired.plugins[id], self._links())

    def plugins(self) -> tuple[PluginView, ...]:
        """All plugins, by id: the same tuple as before if nothing has changed."""
        glance = Glance(self._control)
        if self._glance is None or not glance.same(self._glance):
            desired, links = self._control.desired, self._links()
            views = (
                self._view(desired, desired.plugins[id], links) for id in sorted(desired.plugins)
            )
            self._views, self._glance = tuple(views), glance
        return self._views

    def _view(self, desired: "Desired", spec: PluginSpec, links: "list[WorkerLink]") -> PluginView:
        key = f"plugins/{spec.id}"
        generation = desired.changed.get(key, 0)
        slots = [
            WorkerSlot(worker=link.worker, revision=link.revision, slot=link.slots.get(spec.id))
            for link in links
        ]
        return PluginView(
            id=spec.id,
            managed_by=desired.origins.get(key, "api"),
            generation=generation,
            observed_generation=min((generation, *(link.revision for link in links))),
            desired=spec,
            state=_state(spec, slots),
            conditions=self._conditions(spec, generation, links),
            workers=slots,
        )

    def _conditions(
        self, spec: PluginSpec, generation: int, links: "list[WorkerLink]"
    ) -> list[Condition]:
        found = (
            ("Converged", *_converged(spec, generation, links)),
            ("Serving", *_serving(spec, links)),
            ("Quarantined", *_quarantined(spec, links)),
        )
        return [
            Condition(
                type=type_,
                status=status,
                reason=reason,
                message=message,
                last_transition_time=self._since(spec.id, type_, status),
            )
            for type_, status, reason, message in found
        ]

    def _since(self, id: str, type_: str, status: Truth) -> float:
        known = self._seen.get((id, type_))
        if known is None or known[0] != status:
            known = self._seen[id, type_] = (status, self._clock.time())
        return known[1]

    def _links(self) -> "list[WorkerLink]":
        sessions = self._control.roster.sessions
        return [sessions[name] for name in sorted(sessions)]


Finding = tuple[Truth, str, str]


def _state(spec: PluginSpec, slots: "Iterable[WorkerSlot]") -> str:
    """One word for all workers: the worst, or what is going on; `unknown` without any."""
    states = {seen.slot.state if seen.slot else "disabled" for seen in slots}
    for state in ("failed", "loading", "reloading", "draining"):
        if state in states:
            return state
    if len(states) == 1:
        return states.pop()
    return "unknown" if not states else "reloading"


def _converged(spec: PluginSpec, generation: int, links: "list[WorkerLink]") -> Finding:
    if not links:
        return "Unknown", "NoWorkers", "no worker is connected"
    behind = [link.worker for link in links if link.revision < generation]
    if behind:
        return "False", "Behind", f"not yet at revision {generation}: {', '.join(behind)}"
    wrong = [link.worker for link in links if not _as_wanted(spec, link)]
    if wrong:
        return "False", "NotAsWanted", f"something else runs in {', '.join(wrong)}"
    return "True", "AsWanted", f"every worker is at revision {generation} or later"


def _as_wanted(spec: PluginSpec, link: "WorkerLink") -> bool:
    slot = link.slots.get(spec.id)
    if not spec.enabled:
        return slot is None or slot.state in ("disabled", "draining")
    return slot is not None and slot.state == "active" and slot.instance == spec.instance


def _serving(spec: PluginSpec, links: "list[WorkerLink]") -> Finding:
    if not spec.enabled:
        return "False", "Disabled", "it is not enabled"
    if not links:
        return "Unknown", "NoWorkers", "no worker is connected"
    reasons = [
        f"{link.worker}: {slot.reason or slot.state}" if slot else f"{link.worker}: not loaded"
        for link in links
        if (slot := link.slots.get(spec.id)) is None or slot.state not in ("active", "reloading")
    ]
    if reasons:
        return "False", "Failed", "; ".join(reasons)
    return "True", "Active", "requests pass it in every worker"


def _quarantined(spec: PluginSpec, links: "list[WorkerLink]") -> Finding:
    reasons = [
        f"{link.worker}: {slot.quarantined}"
        for link in links
        if (slot := link.slots.get(spec.id)) is not None and slot.quarantined
    ]
    if reasons:
        return "True", "FailedTooOften", "; ".join(reasons)
    return "False", "NotQuarantined", ""
