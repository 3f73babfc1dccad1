"""Memory that all workers of a node share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """A block of memory that every worker's generation of this plugin sees, zeroed at first.

    `view` is writable bytes. It outlives generations and workers, not the machine's restart. There
    is no lock: the sound way to write is that each byte has one writer. `index` is this worker's
    number, 0 <= `index` < `members`; no two live workers have the same.
    """

    view: memoryview
    index: int
    members: int
