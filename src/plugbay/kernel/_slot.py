"""A slot: the place where a plugin runs, whose generations come and go.

A change has two phases, so that many workers can change together: `prepare` starts the fresh
generation beside the current one and proves it healthy, `commit` makes it current (a pointer
swap, no await), or `abort` leaves everything as it was. After a commit the old generation
`drain`s: it is stopped when the last request inside has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from plugbay.kernel._change import Disable, Drained, ExclusiveSwap, Parked, Prepared
from plugbay.kernel._errors import Conflict, PluginError
from plugbay.kernel._guard import to_the_end
from plugbay.kernel._lifecycle import LONGEST_START, Lifecycle
from plugbay.kernel._state import SLOT_TRANSITIONS, SlotState, move
from plugbay.kernel._status import SlotStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.kernel._generation import Generation
    from plugbay.kernel._ports import Clock

FAILED_DRAIN = 5.0
"""Seconds that requests get to leave a generation that failed, before it is stopped."""


class Change(Protocol):
    """A prepared change of one slot: exactly one of `commit` and `abort` is called, once.

    After a commit `drain` is called once, in the background. `commit` and installing the
    table that belongs to it must happen in one step of the event loop: requests that are parked
    go on in the next one.
    """

    @property
    def slot(self) -> Slot: ...
    @property
    def fresh(self) -> Generation | None: ...
    def commit(self) -> None: ...
    async def abort(self) -> None: ...
    async def drain(self, seconds: float) -> Drained | None: ...


class Slot:
    """One plugin's place. `current` serves; `state` obeys the one transition table.

    `revised` is called when what serves has changed without a commit: the current generation
    failed, or came back with another instance after a failed exclusive swap. What is bound to
    the old instance's hooks must be built anew there, in the same step.
    """

    def __init__(
        self,
        plugin: str,
        clock: Clock,
        *,
        start_seconds: float = LONGEST_START,
        stop_seconds: float = 10.0,
        revised: Callable[[Slot], None] | None = None,
    ) -> None:
        self.plugin = plugin
        self.clock = clock
        self.state = SlotState.DISABLED
        self.current: Generation | None = None
        self.reason = ""
        """Why the slot failed, or why the last change was not taken."""
        self.draining: list[Generation] = []
        self.lifecycle = Lifecycle(plugin, start_seconds=start_seconds, stop_seconds=stop_seconds)
        self._revised = revised
        self._changing = self._returning = False
        self._issued = self._newest = 0

    def __repr__(self) -> str:
        number = self.current.number if self.current else 0
        return f"<Slot {self.plugin} [{self.state}, generation {number}]>"

    @property
    def changing(self) -> bool:
        """Whether a change was begun and not ended yet; there is one at a time."""
        return self._changing

    @property
    def problems(self) -> tuple[str, ...]:
        """The last failures of `stop`; each is in its `Drained` record too, if there was one."""
        return tuple(self.lifecycle.problems)

    def take_number(self) -> int:
        """Return the number for the next generation; each is handed out once."""
        self._issued = max(self._issued, self._newest) + 1
        return self._issued

    def status(self) -> SlotStatus:
        """Return what can be seen of it now."""
        current = self.current
        return SlotStatus(
            plugin=self.plugin,
            state=self.state,
            generation=current.number if current else 0,
            digest=current.digest if current else "",
            config_version=current.config_version if current else 0,
            in_flight=current.in_flight if current else 0,
            draining=len(self.draining),
            reason=self.reason,
        )

    def to(self, new: SlotState) -> None:
        """Move to `new`. Raises `IllegalTransition`."""
        self.state = move(f"plugin {self.plugin}", SLOT_TRANSITIONS, self.state, new)

    async def prepare_enable(self, fresh: Generation) -> Change:
        """Start `fresh` where nothing runs. Raises `PluginError`; the slot is then failed.

        If it is cancelled the slot is what it was before. Raises `Conflict` if something runs.
        """
        if self.current is not None:
            raise Conflict(f"{self.plugin} is {self.state}: it can be swapped, not enabled")
        origin = self.state
        self._begin(fresh)
        try:
            self.to(SlotState.LOADING)
            await self.lifecycle.bring_up(fresh, None)
        except BaseException as error:
            if isinstance(error, PluginError):
                self._failed(error)
            self.return_to(origin)
            self.end_change()
            raise
        return Prepared(self, None, fresh, origin)

    async def prepare_swap(self, fresh: Generation, *, drain: float = 60.0) -> Change:
        """Start `fresh` beside (or, if exclusive, instead of) the current generation.

        Raises `PluginError`; the current generation serves on, which is the rollback.
        """
        old = self.current
        if old is None:
            raise Conflict(f"{self.plugin} is {self.state}: enable it, there is nothing to swap")
        self._begin(fresh)
        try:
            self.to(SlotState.RELOADING)
            if fresh.manifest.reload == "exclusive":
                return await self._prepare_exclusive(old, fresh, drain)
            await self.lifecycle.bring_up(fresh, await self.lifecycle.snapshot(old))
            return Prepared(self, old, fresh, SlotState.ACTIVE)
        except BaseException as error:
            if self.state is SlotState.RELOADING:
                self.reason = str(error) or "the change was cancelled"
            self.return_to(SlotState.ACTIVE)
            self.end_change()
            raise

    async def prepare_disable(self) -> Change:
        """Get ready to stop. A failed slot has nothing to drain and becomes disabled."""
        self._begin(None)
        return Disable(self, self.current, None, self.state)

    async def fail(
        self,
        reason: str,
        *,
        generation: Generation | None = None,
        drain: float = FAILED_DRAIN,
    ) -> Drained | None:
        """Take a crashed or unhealthy generation out of service, at once, and stop it.

        Requests inside get `drain` seconds to leave; they are not cancelled, for only this
        plugin is at fault. Old news changes nothing and returns None: that `generation` is not
        current any more, or is stopped already. A change that is being prepared goes on.
        """
        old = self.current
        if old is None or generation not in (None, old):
            return None
        if old.instance is None or self._returning:
            return None  # stopped for an exclusive swap, or not proven again: that sees to it
        self.reason, self.current = reason, None
        self.to(SlotState.FAILED)
        self.draining.append(old)
        in_flight = old.in_flight
        try:
            self._tell()
        finally:
            drained = await self.retire(old, in_flight, drain, cancel=False)
        return drained

    async def _prepare_exclusive(self, old: Generation, fresh: Generation, drain: float) -> Change:
        await self.lifecycle.load(fresh)
        in_flight = old.in_flight
        old.park()
        try:
            try:
                seconds = await old.drained(drain, self.clock)
                state = await self.lifecycle.snapshot(old)
            except BaseException:
                await self.lifecycle.put_down(fresh)
                raise
            problems = await self._replace(old, fresh, state)
        except BaseException:
            old.unpark()
            raise
        return ExclusiveSwap(self, old, fresh, state, Parked(in_flight, seconds, problems))

    async def _replace(
        self, old: Generation, fresh: Generation, state: bytes | None
    ) -> tuple[str, ...]:
        """Stop the old one and start the fresh one; or else start the old one again."""
        try:
            problems = await self.lifecycle.put_down(old)
            await self.lifecycle.start(fresh, state)
        except BaseException:
            await to_the_end(self._recover(old, fresh, state))
            raise
        return problems

    async def _recover(self, old: Generation, fresh: Generation, state: bytes | None) -> None:
        await self.lifecycle.put_down(fresh)
        await self.come_back(old, state)

    # What follows is for changes only.

    async def come_back(self, old: Generation, state: bytes | None) -> None:
        """Start the old artifact again after the fresh one failed; if it cannot, fail."""
        if self.current is not old:
            return  # it had failed by itself before it was stopped
        self._returning = True
        try:
            await self.lifecycle.bring_up(old, state)
            if old.breaker is not None:
                old.breaker.reset()
        except BaseException as error:
            self.current = None
            self._failed(error)
            if not isinstance(error, PluginError):
                raise
        finally:
            self._returning = False
            self._tell()

    async def retire(
        self, old: Generation, in_flight: int, seconds: float, *, cancel: bool = True
    ) -> Drained:
        """Wait until its requests have ended, and stop it; at once if this is cancelled."""
        stopped: tuple[str, ...] = ()
        try:
            took = await old.drained(seconds, self.clock, cancel=cancel)
        finally:
            left = old.in_flight
            try:
                stopped = await self.lifecycle.put_down(old)
            finally:
                self.draining.remove(old)
        stuck = (f"generation {old.number}: stopped under {left} requests",) if left else ()
        figures = (in_flight, took * 1000, old.cancelled, old.dropped)
        return Drained(old.plugin, old.number, *figures, (*stuck, *stopped))

    def activate(self) -> None:
        """Become active; by way of loading, if the old generation failed during the change."""
        if self.state is SlotState.FAILED:
            self.to(SlotState.LOADING)
        self.to(SlotState.ACTIVE)

    def return_to(self, origin: SlotState) -> None:
        """Go back to where the change began, unless the slot has failed since."""
        if self.state not in (origin, SlotState.FAILED):
            self.to(origin)

    def end_change(self) -> None:
        """Let the next change begin."""
        self._changing = False

    def _begin(self, fresh: Generation | None) -> None:
        if self._changing:
            raise Conflict(f"{self.plugin} is being changed already; wait for that operation")
        if fresh is not None:
            if fresh.number <= self._newest:
                raise Conflict(f"{self.plugin}: generation {fresh.number} was used before")
            self._newest = fresh.number
        self._changing = True

    def _failed(self, error: BaseException) -> None:
        self.reason = error.reason if isinstance(error, PluginError) else "it was cancelled"
        self.to(SlotState.FAILED)

    def _tell(self) -> None:
        if self._revised is not None:
            self._revised(self)
