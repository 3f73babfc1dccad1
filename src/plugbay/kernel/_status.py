"""What can be seen of a slot at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from plugbay.kernel._state import SlotState  # noqa: TC001 -- msgspec resolves it when decoding


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotStatus:
    """A slot's facts. `generation` is 0, and what describes it empty, where none is current.

    `in_flight` counts the requests in the current generation, `draining` the generations that
    have been replaced and still have some.
    """

    plugin: str
    state: SlotState
    generation: int
    digest: str
    config_version: int
    in_flight: int
    draining: int
    reason: str
