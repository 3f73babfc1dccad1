"""From what the workers report to HKP's words for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.admin._hkp._shapes import Checks, HealthCounts, PluginHealth
from plugbay.admin._hkp._times import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from plugbay.admin._hkp._shapes import HealthWord, StateWord
    from plugbay.admin._status import PluginView
    from plugbay.control import SlotReport

STATES: Mapping[str, StateWord] = {
    "disabled": "disabled",
    "loading": "loading",
    "active": "active",
    "reloading": "reloading",
    "draining": "unloading",
    "failed": "failed",
}
SERVING = ("active", "reloading")


def state_of(view: PluginView) -> StateWord:
    """The plugin's state over all workers."""
    return STATES.get(view.state, "unknown")


def slots_of(view: PluginView) -> list[SlotReport]:
    """The slots that workers have told of."""
    return [seen.slot for seen in view.workers if seen.slot is not None]


def requests_of(view: PluginView) -> int:
    """Requests inside the plugin now, in old generations too."""
    return sum(slot.in_flight + slot.draining_requests for slot in slots_of(view))


def judge(view: PluginView) -> PluginHealth:
    """Judge one plugin by all of its workers."""
    status, reason = _verdict(view)
    slots = slots_of(view)
    serving = sum(slot.state in SERVING for slot in slots)
    hooks = {name for slot in slots for name in slot.hooks}
    return PluginHealth(
        status=status,
        state=state_of(view),
        accepting_requests=view.desired.enabled and serving > 0,
        last_check=last_check(slots),
        checks=Checks(
            handlers_registered=bool(hooks),
            handler_count=len(hooks),
            background_tasks=sum(len(slot.tasks) for slot in slots),
            active_requests=requests_of(view),
            workers=len(view.workers),
            workers_serving=serving if view.desired.enabled else 0,
        ),
        reason=reason,
    )


def last_check(slots: Iterable[SlotReport]) -> str | None:
    """When the one was asked that was asked longest ago; None: one never was."""
    checked = [slot.checked for slot in slots]
    return moment(min(checked)) if checked and min(checked) > 0 else None


def count(healths: Iterable[PluginHealth]) -> HealthCounts:
    """Count them. What changes state just now is no reason for an alarm."""
    words = [health.status for health in healths]
    bad = words.count("unhealthy") + words.count("degraded")
    return HealthCounts(
        healthy_count=words.count("healthy"),
        unhealthy_count=words.count("unhealthy"),
        total_count=len(words),
        overall_status="degraded" if bad else "healthy",
        degraded_count=words.count("degraded"),
        transitioning_count=words.count("transitioning"),
    )


def _verdict(view: PluginView) -> tuple[HealthWord, str]:
    if not view.desired.enabled:
        return "unhealthy", "it is disabled"
    if not view.workers:
        return "unhealthy", "no worker is connected"
    conditions = {condition.type: condition for condition in view.conditions}
    quarantined, serving = conditions["Quarantined"], conditions["Serving"]
    states = [seen.slot.state if seen.slot else "" for seen in view.workers]
    able = sum(state in SERVING for state in states)
    if quarantined.status == "True" or "failed" in states:
        said = quarantined.message or serving.message
        return ("degraded" if able else "unhealthy"), said
    if able < len(states) or "reloading" in states:
        return "transitioning", serving.message if able < len(states) else "a change is under way"
    if conditions["Converged"].status != "True":
        return "transitioning", conditions["Converged"].message
    return "healthy", ""
