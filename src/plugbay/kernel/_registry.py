"""The slots of one worker, by plugin id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.kernel._errors import Conflict, NotFound
from plugbay.kernel._state import SlotState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plugbay.kernel._slot import Slot
    from plugbay.kernel._status import SlotStatus


class SlotRegistry:
    """Slots by id, made by `create` when one is first wanted; iterated in the order of ids."""

    def __init__(self, create: Callable[[str], Slot]) -> None:
        self._create = create
        self._slots: dict[str, Slot] = {}

    def __iter__(self) -> Iterator[Slot]:
        return iter([slot for _, slot in sorted(self._slots.items())])

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, id: object) -> bool:
        return id in self._slots

    def get(self, id: str) -> Slot:
        """Return the slot. Raises `NotFound`."""
        try:
            return self._slots[id]
        except KeyError:
            raise NotFound(f"there is no plugin {id}") from None

    def ensure(self, id: str) -> Slot:
        """Return the slot; a new one, disabled, if there was none."""
        slot = self._slots.get(id)
        if slot is None:
            slot = self._slots[id] = self._create(id)
        return slot

    def remove(self, id: str) -> None:
        """Forget a slot. Raises `NotFound`, and `Conflict` unless it is disabled and at rest."""
        slot = self.get(id)
        if slot.state is not SlotState.DISABLED or slot.changing or slot.draining:
            raise Conflict(f"{id} is {slot.state}: disable it and let it drain first")
        del self._slots[id]

    def snapshot(self) -> tuple[SlotStatus, ...]:
        """Return what can be seen of all slots now, in the order of ids."""
        return tuple(slot.status() for slot in self)
