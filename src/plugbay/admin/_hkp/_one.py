"""One plugin in detail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.admin._hkp import _shapes as shape
from plugbay.admin._hkp._judge import STATES, judge, last_check, requests_of, slots_of, state_of
from plugbay.admin._hkp._times import go_duration, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.admin._status import PluginView, WorkerSlot
    from plugbay.artifacts import Artifact
    from plugbay.observability import PluginTotals, TrafficPoint


def status_of(
    view: PluginView,
    artifact: Artifact,
    use: shape.ResourceUse,
    pids: Mapping[str, int],
    now: float,
) -> shape.PluginStatus:
    """Put together all that is known of a plugin."""
    spec, slots, health = view.desired, slots_of(view), judge(view)
    names = tuple(sorted({name for slot in slots for name in slot.hooks}))
    quarantined = next((slot.quarantined for slot in slots if slot.quarantined), "")
    return shape.PluginStatus(
        plugin=view.id,
        name=view.id,
        version=spec.version,
        description=artifact.manifest.summary if artifact.manifest else "",
        digest=spec.digest,
        enabled=spec.enabled,
        state=state_of(view),
        health=health.status,
        accepting_requests=health.accepting_requests,
        active_requests=requests_of(view),
        draining_requests=sum(slot.draining_requests for slot in slots),
        generation=max((slot.generation for slot in slots), default=0),
        config_version=spec.config_version,
        handlers=shape.Handlers(
            registered=bool(names), count=len(names), names=names, routes=spec.routes
        ),
        background_tasks=tuple(name for slot in slots for name in slot.tasks),
        last_check=health.last_check,
        resource_use=use,
        drain_timeout=go_duration(spec.drain),
        quarantined=quarantined,
        reason=health.reason,
        workers=[_part(seen, pids.get(seen.worker, 0)) for seen in view.workers],
        timestamp=moment(now),
    )


def use_of(
    view: PluginView, latest: TrafficPoint | None, totals: PluginTotals
) -> shape.ResourceUse:
    """Sum up what the workers tell, with the rates of the latest point of the traffic."""
    slots = slots_of(view)
    return shape.ResourceUse(
        active_requests=requests_of(view),
        background_tasks=sum(len(slot.tasks) for slot in slots),
        generations=sum(slot.draining + bool(slot.generation) for slot in slots),
        calls=sum(slot.calls for slot in slots),
        failures=sum(slot.failures for slot in slots),
        requests_per_second=latest.requests if latest else 0.0,
        errors_per_second=latest.errors if latest else 0.0,
        p99_seconds=latest.p99 if latest else None,
        totals=totals,
    )


def _part(seen: WorkerSlot, pid: int) -> shape.WorkerPart:
    slot = seen.slot
    return shape.WorkerPart(
        worker=seen.worker,
        pid=pid,
        state=STATES.get(slot.state, "unknown") if slot else "disabled",
        generation=slot.generation if slot else 0,
        active_requests=slot.in_flight if slot else 0,
        draining_generations=slot.draining if slot else 0,
        draining_requests=slot.draining_requests if slot else 0,
        background_tasks=slot.tasks if slot else (),
        processes=slot.pids if slot else (),
        calls=slot.calls if slot else 0,
        failures=slot.failures if slot else 0,
        last_check=last_check([slot]) if slot else None,
        reason=slot.reason if slot else "",
    )
