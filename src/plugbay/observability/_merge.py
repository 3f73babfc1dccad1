"""The metrics of all workers as one, in the supervisor.

Counters and histograms are summed. What a worker counted before it died is kept, so that a total
never goes back; its gauges go with it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from plugbay.observability._family import FamilySnapshot, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugbay.observability._family import Definition

    Samples = dict[tuple[str, ...], Sample]
    Families = dict[Definition, Samples]

_decoder = msgspec.msgpack.Decoder(list[FamilySnapshot])


class Merged:
    """Joins the latest snapshots of the workers."""

    def __init__(self) -> None:
        self._past: Families = {}
        self._latest: dict[str, tuple[str, list[FamilySnapshot]]] = {}
        self._retired: deque[str] = deque(maxlen=256)

    def update(self, worker: str, snapshot: bytes, *, incarnation: str) -> None:
        """Take a worker's latest snapshot. Raises `ValueError` if it cannot be read.

        `worker` is its place (an index) and `incarnation` tells processes in that place apart
        (a pid with its start time): when it changes, the one before is dead. A snapshot that
        arrives after its worker was retired is ignored, for it is counted already.
        """
        if incarnation in self._retired:
            return
        try:
            families = _decoder.decode(snapshot)
        except msgspec.DecodeError as error:
            raise ValueError(f"worker {worker}: not a metrics snapshot: {error}") from None
        known = self._latest.get(worker)
        if known is not None and known[0] != incarnation:
            self.retire(worker)
        self._latest[worker] = incarnation, families

    def retire(self, worker: str) -> None:
        """Keep what a dead worker counted and forget its gauges; it need not be known."""
        incarnation, families = self._latest.pop(worker, ("", []))
        if incarnation:
            self._retired.append(incarnation)
        for family in families:
            if family.definition.kind != "gauge":
                _add(self._past, family)

    def labelled(self, label: str, value: str) -> list[FamilySnapshot]:
        """Return only the series whose first label is `label` with this `value`, of all workers.

        A family whose workers are kept apart is left out.
        """
        total: Families = {}
        past = (FamilySnapshot(one, list(samples.values())) for one, samples in self._past.items())
        latest = (family for _, families in self._latest.values() for family in families)
        for family in (*past, *latest):
            definition = family.definition
            if definition.labels[:1] != (label,) or definition.combine == "worker":
                continue
            found = [one for one in family.samples if one.labels[0] == value]
            if found:
                _add(total, FamilySnapshot(definition, found))
        return [FamilySnapshot(one, list(samples.values())) for one, samples in total.items()]

    def only(self, name: str) -> list[FamilySnapshot]:
        """Return the families of this name, one of each worker that runs."""
        return [
            family
            for _, families in self._latest.values()
            for family in families
            if family.definition.name == name
        ]

    def collect(self, own: Iterable[FamilySnapshot] = ()) -> list[FamilySnapshot]:
        """Return all families: those of the workers, dead ones too, and the process's `own`."""
        total: Families = {
            definition: {labels: _copy(one) for labels, one in samples.items()}
            for definition, samples in self._past.items()
        }
        for worker, (_, families) in self._latest.items():
            for family in families:
                by_worker = family.definition.combine == "worker"
                _add(total, _labelled(family, worker) if by_worker else family)
        for family in own:
            _add(total, family)
        return [FamilySnapshot(one, list(samples.values())) for one, samples in total.items()]


def _add(total: Families, family: FamilySnapshot) -> None:
    samples = total.setdefault(family.definition, {})
    highest = family.definition.combine == "max"
    for one in family.samples:
        known = samples.get(one.labels)
        if known is None:
            samples[one.labels] = _copy(one)
            continue
        known.value = max(known.value, one.value) if highest else known.value + one.value
        if known.counts is not None and one.counts is not None:
            pairs = zip(known.counts, one.counts, strict=True)
            known.counts = [a + b for a, b in pairs]


def _copy(one: Sample) -> Sample:
    return Sample(one.labels, one.value, None if one.counts is None else one.counts.copy())


def _labelled(family: FamilySnapshot, worker: str) -> FamilySnapshot:
    definition = family.definition
    wider = msgspec.structs.replace(
        definition, labels=(*definition.labels, "worker"), combine="sum"
    )
    return FamilySnapshot(
        wider, [Sample((*one.labels, worker), one.value, one.counts) for one in family.samples]
    )
