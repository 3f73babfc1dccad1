"""What a worker says of one of its slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.control._load import Hosted
from plugbay.control._messages import SlotReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.control._applier import Applier
    from plugbay.control._caretaker import Caretaker
    from plugbay.kernel import Generation


def slot_report(id: str, applier: Applier, caretaker: Caretaker) -> SlotReport:
    """Return what can be seen of the slot now."""
    slot = applier.slots.ensure(id)
    status, watched = slot.status(), caretaker.watches.get(id)
    verdict = watched.watch.verdict() if watched else None
    vitals = slot.current.vitals if slot.current else None
    instance = slot.current.instance if slot.current else None
    if vitals:
        vitals.settle()
    return SlotReport(
        plugin=id,
        state=status.state.value,
        generation=status.generation,
        instance=applier.instance(id) or ("", 0, 0),
        in_flight=status.in_flight,
        draining=status.draining,
        reason=status.reason,
        watch=verdict.outcome.value if verdict else "",
        watch_reason=verdict.reason if verdict else "",
        quarantined=caretaker.quarantined(id),
        calls=vitals.calls if vitals else 0,
        failures=vitals.failures if vitals else 0,
        hooks=tuple(sorted(instance.hooks)) if instance else (),
        tasks=instance.tasks if isinstance(instance, Hosted) else (),
        draining_requests=sum(old.in_flight for old in slot.draining),
        pids=_pids([*([slot.current] if slot.current else []), *slot.draining]),
        checked=caretaker.checked(id),
    )


def _pids(generations: Iterable[Generation]) -> tuple[int, ...]:
    instances = [generation.instance for generation in generations]
    return tuple(pid for one in instances if isinstance(one, Hosted) for pid in one.pids)
