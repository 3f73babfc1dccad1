"""A world around one slot: instances that misbehave as told, and requests that pass a table."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.kernel import Generation, Slot, SlotState, Tally
from plugbay.sdk import Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from properties._virtual import VirtualLoop

QUEUE = 3
LATE = 1000.0

# Written down once more: the kernel's own table would follow its own mistakes.
LEGAL = {
    ("disabled", "loading"),
    ("loading", "active"),
    ("loading", "failed"),
    ("loading", "disabled"),
    ("active", "reloading"),
    ("active", "draining"),
    ("active", "failed"),
    ("reloading", "active"),
    ("reloading", "failed"),
    ("draining", "disabled"),
    ("draining", "failed"),
    ("failed", "loading"),
    ("failed", "disabled"),
}


class WatchedSlot(Slot):
    """Looks at every change of `state`, however it is made."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "state" and hasattr(self, "state"):
            assert (str(self.state), str(value)) in LEGAL, (self.state, value)
        super().__setattr__(name, value)


class FakeInstance:
    """Does what `faults` says of its steps: raise, exit, cancel, slow, late or stubborn."""

    hooks: Mapping[str, object] = {}

    def __init__(self, world: World, generation: int, faults: Mapping[str, str]) -> None:
        self.world, self.generation, self.faults = world, generation, faults
        self.memory = f"born with {generation}".encode()
        self.started = self.healthy = False
        self.stops = 0

    @property
    def serving(self) -> bool:
        return self.started and self.healthy and not self.stops

    async def start(self) -> None:
        self.world.expect(not self.stops, "started after its stop")
        self.started = True
        await misbehave(self.faults.get("start"))

    async def health(self) -> None:
        await misbehave(self.faults.get("health"))
        self.healthy = True

    async def snapshot(self) -> bytes:
        self.world.expect(self.started and not self.stops, "asked while it did not run")
        await misbehave(self.faults.get("snapshot"))
        return self.memory

    async def restore(self, state: bytes) -> None:
        await misbehave(self.faults.get("restore"))
        self.memory = state

    async def stop(self) -> None:
        self.stops += 1
        self.world.stopped(self)
        await misbehave(self.faults.get("stop"))


async def misbehave(fault: str | None) -> None:
    """Act out one fault."""
    if fault == "raise":
        raise ValueError("planned")
    if fault == "exit":
        raise SystemExit(3)
    if fault == "cancel":
        raise asyncio.CancelledError
    if fault == "slow":
        await asyncio.sleep(3)
    if fault == "late":
        await asyncio.sleep(LATE)
    if fault == "stubborn":
        loop = asyncio.get_running_loop()
        ends = loop.time() + 20
        while loop.time() < ends:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue


class Request:
    """Ends exactly once, in one way."""

    def __init__(self) -> None:
        self.holder: FakeHolder | None = None
        self.fate = ""

    def end(self, fate: str) -> None:
        assert not self.fate, f"{self.fate}, and then {fate}"
        self.fate = fate


class FakeHolder:
    """A table with one chain with at most one plugin; keeps the kernel's tally identities."""

    def __init__(self, world: World, generation: Generation | None) -> None:
        self.world, self.generation = world, generation
        self.bound = generation.instance if generation else None
        self.tally = Tally()
        self.inside: list[Request] = []
        self.waiting: list[Request] = []
        self.parks = 0
        self.retired = False
        if generation is not None:
            generation.lease(self)

    @property
    def in_flight(self) -> int:
        return len(self.inside)

    def enter(self, request: Request) -> None:
        if self.parks:
            if len(self.waiting) == QUEUE:
                self.tally.refused += 1
                request.end("refused")
            else:
                self.waiting.append(request)
            return
        assert not self.retired, "a request went into a table that is not current"
        if self.generation is not None:
            assert isinstance(self.bound, FakeInstance)
            assert self.bound.serving, "a request reached an instance that does not run"
        self.tally.entered += 1
        self.inside.append(request)
        request.holder = self

    def finish(self, request: Request) -> None:
        self.inside.remove(request)
        self.tally.finished += 1
        request.end("finished")
        self._settle()

    def cancel(self) -> int:
        for request in tuple(self.inside):
            asyncio.get_running_loop().call_soon(self._cancelled, request)
        return len(self.inside)

    def _cancelled(self, request: Request) -> None:
        if request in self.inside:
            self.inside.remove(request)
            self.tally.cancelled += 1
            request.end("cancelled")
            self._settle()

    def retire(self) -> None:
        self.retired = True
        self._settle()

    def park(self) -> None:
        self.parks += 1

    def unpark(self) -> None:
        self.parks -= 1
        assert self.parks >= 0
        if not self.parks:
            waiting, self.waiting = self.waiting, []
            for request in waiting:
                self.world.table.enter(request)

    def _settle(self) -> None:
        if self.generation is not None and not self.inside:
            self.generation.settled()
            if self.retired:
                self.generation.release(self)


class World:
    """The slot, its table, and everything that ever ran or asked."""

    def __init__(self, loop: VirtualLoop, clock: object) -> None:
        self.loop = loop
        self.slot = WatchedSlot("p", clock, revised=lambda _: self.install(self.build()))
        self.instances: list[FakeInstance] = []
        self.generations: list[Generation] = []
        self.requests: list[Request] = []
        self.excused: set[int] = set()
        """Generations that may be stopped under their requests."""
        self.violations: list[str] = []
        self.table = FakeHolder(self, None)

    def generation(self, reload: str, faults: Mapping[str, str], again: str | None) -> Generation:
        """Make a generation; `again` is the fault of `start` when it has to come back."""
        number = self.slot.take_number()
        loads = 0

        async def load(number: int) -> FakeInstance:
            nonlocal loads
            loads += 1
            await misbehave(faults.get("load"))
            mine = faults if loads == 1 else {**faults, "start": again or ""}
            instance = FakeInstance(self, number, mine)
            self.instances.append(instance)
            return instance

        manifest = Manifest(
            id="p", version="1", api=1, runtime="python", entry="a:B", reload=reload
        )
        generation = Generation("p", number, f"sha256:{number}", 1, manifest, load)
        self.generations.append(generation)
        return generation

    def build(self, fresh: Generation | None = None) -> FakeHolder:
        return FakeHolder(self, fresh or self.slot.current)

    def install(self, table: FakeHolder) -> None:
        old, self.table = self.table, table
        old.retire()

    def request(self) -> None:
        request = Request()
        self.requests.append(request)
        self.table.enter(request)

    def stopped(self, instance: FakeInstance) -> None:
        """An instance is being stopped: nobody may be inside any more."""
        generation = next(g for g in self.generations if g.number == instance.generation)
        self.expect(instance.stops == 1, "stopped twice")
        if generation.number not in self.excused:
            self.expect(generation.in_flight == 0, "stopped under its requests")

    def expect(self, fact: bool, otherwise: str) -> None:
        """Assert, from inside a plugin: what is raised there is taken for the plugin's fault."""
        if not fact:
            self.violations.append(otherwise)

    def running(self) -> list[FakeInstance]:
        return [instance for instance in self.instances if not instance.stops]

    def check(self) -> None:
        """What must hold between any two steps."""
        assert not self.violations
        slot, current = self.slot, self.slot.current
        assert (current is not None) == slot.state.serves
        if current is not None and not current.parked:
            assert isinstance(current.instance, FakeInstance)
            assert current.instance.serving
            assert current.instance is self.table.bound, "the table calls another instance"
        for generation in self.generations:
            tallies = [generation.past, *(holder.tally for holder in generation.holders)]
            refused = sum(tally.refused for tally in tallies)
            assert generation.dropped == refused
        if slot.state is SlotState.FAILED:
            assert slot.reason

    def check_at_rest(self) -> None:
        """What must hold when no change is under way."""
        wanted = {*self.slot.draining, self.slot.current} - {None}
        held = {id(g.instance) for g in wanted if g is not None and g.instance is not None}
        assert {id(instance) for instance in self.running()} <= held
        assert not any(generation.parked for generation in self.generations)
        assert not any(holder.waiting for g in self.generations for holder in g.holders)
        assert not self.table.waiting
