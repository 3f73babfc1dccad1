"""A plugin as a member of the chain that MCP messages pass."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from plugbay.mcp._answers import plugin_failed
from plugbay.mcp._malformed import Malformed
from plugbay.sdk import Block, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugbay.kernel import Generation, Hook
    from plugbay.sdk import Order

FAULTS = (Exception, SystemExit)
"""What a hook may raise: a plugin that exits must not take the stream with it."""
_log = logging.getLogger("plugbay.mcp")


class Duration(Protocol):
    """A distribution of seconds."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float

    def observe(self, value: float) -> None: ...
    def observe_all(self, values: Sequence[float], /) -> None: ...


class Series(Protocol):
    """What one plugin did; `observability.PluginSeries` is one."""

    passed: int
    answered: int
    failed: int
    skipped: int
    behind: set[Callable[[], None]]

    @property
    def duration(self) -> Duration: ...


class Meter(Protocol):
    """Hands out the series of a plugin; `observability.Registry` is one."""

    def plugin(self, plugin: str, version: str, phase: str) -> Series: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One generation of a plugin. `closed`: nothing passes while it cannot decide."""

    id: str
    generation: Generation
    order: Order
    closed: bool


class Link:
    """A member in its chain: its hooks, its series, and the policy for its failures."""

    __slots__ = (
        "_duration",
        "_targets",
        "breaker",
        "closed",
        "generation",
        "id",
        "mode",
        "seconds",
        "series",
        "vitals",
    )

    def __init__(self, member: Member, meter: Meter) -> None:
        generation = member.generation
        manifest = generation.manifest
        self.id, self.generation, self.breaker = member.id, generation, generation.breaker
        self.mode = manifest.mcp.mode
        self.seconds = manifest.mcp.hook_ms / 1000
        self.series = meter.plugin(member.id, manifest.version, "mcp")
        self.vitals, self._duration = generation.vitals, self.series.duration
        self.closed, self._targets = member.closed, manifest.mcp.targets

    def hook(self, name: str) -> Hook | None:
        """Return the hook, if the plugin runs and has it."""
        instance = self.generation.instance
        return None if instance is None else instance.hooks.get(name)

    @property
    def everything(self) -> bool:
        """Whether the plugin asked for messages about every tool, prompt and resource."""
        return not self._targets

    def about(self, message: Message) -> bool:
        """Whether the plugin asked for messages about such a tool, prompt or resource."""
        targets = self._targets
        return not targets or any(fnmatchcase(message.target, pattern) for pattern in targets)

    def allowed(self) -> bool:
        """Whether its hooks may be called now."""
        breaker = self.breaker
        return self.generation.instance is not None and (
            breaker is None or breaker.closed or breaker.allow()
        )

    def worked(self, seconds: float) -> None:
        """A hook has returned."""
        self.vitals.calls += 1
        self._duration.observe(seconds)
        if self.breaker is not None:
            self.breaker.success()

    def judge(self, answer: object, message: Message) -> Message | Block | None:
        """Return what a hook's answer means; one that its mode does not allow is a failure."""
        if isinstance(answer, Block) and self.mode != "transform":
            self.series.answered += 1
            return answer
        if isinstance(answer, Message) and self.mode != "check" and _fits(answer, message):
            if answer is message:
                self.series.passed += 1
                return None
            try:
                _ = answer.raw  # what cannot be written shall not be found out when it is sent
            except FAULTS as error:
                return self.failed(error)
            self.series.passed += 1
            return answer
        what = type(answer).__name__
        return self.failed(TypeError(f"a {self.mode} returned a {what} for a {message.kind}"))

    def failed(self, error: BaseException) -> Block | None:
        """A hook has raised or was late: count it, and say what follows. Raises `Malformed` if it
        could not read the message, which is no fault of its own."""
        if isinstance(error, Malformed):
            raise error
        how, shown = self.generation.hook_failed(error)
        self.series.failed += 1
        facts = {"plugin": self.id, "generation": self.generation.number}
        _log.warning("plugin %s %s on a message", self.id, how, exc_info=shown, extra=facts)
        return plugin_failed(self.id) if self.closed else None

    def skipped(self) -> Block | None:
        """Its hooks may not be called: the breaker is open, or it does not run."""
        self.series.skipped += 1
        return plugin_failed(self.id) if self.closed else None


def _fits(answer: Message, message: Message) -> bool:
    """Whether a message may go on in the other's stead, or answers it."""
    if answer.id != message.id or type(answer.id) is not type(message.id):
        return False
    if message.kind == "request" and answer.kind in ("response", "error"):
        return True
    if answer.direction != message.direction:
        return False
    results = ("response", "error")
    return answer.kind == message.kind or {answer.kind, message.kind} <= set(results)
