"""One plugin in a chain: what happens when its hook fails or may not be called."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from plugbay.gateway.message._problem import problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugbay.gateway.chain._member import Member
    from plugbay.kernel import Hook
    from plugbay.observability import PluginSeries
    from plugbay.sdk import Request, Response

FAULTS = (Exception, SystemExit)
"""What a hook may raise: a plugin that exits must not take the gateway with it."""

_log = logging.getLogger("plugbay.gateway")


class PluginMeter(Protocol):
    """Hands out the series of a plugin; `observability.Registry` is one."""

    def plugin(self, plugin: str, version: str, phase: str) -> PluginSeries: ...


class Link:
    """A member with its series, and the policy for its failures."""

    __slots__ = ("breaker", "generation", "id", "limit", "member", "series", "vitals")

    def __init__(self, member: Member, meter: PluginMeter) -> None:
        generation = member.generation
        self.member = member
        self.id = member.id
        self.generation = generation
        self.vitals = generation.vitals
        self.breaker = generation.breaker
        version = generation.manifest.version
        self.series = meter.plugin(member.id, version, member.order.phase)
        self.limit = member.limits_ms / 1000 or None

    def hook(self, name: str) -> Hook | None:
        """Return the hook, if the plugin runs and has it."""
        instance = self.generation.instance
        return None if instance is None else instance.hooks.get(name)

    @property
    def allowed(self) -> bool:
        """Whether its hooks may be called now: it runs, and its breaker lets a call through."""
        breaker = self.breaker
        return self.generation.instance is not None and (breaker is None or breaker.allow())

    def failed(self, error: BaseException, request: Request) -> Response | None:
        """A hook has raised or was late: count it and apply the policy."""
        how, shown = self.generation.hook_failed(error)
        self.series.failed += 1
        facts = self._facts(request)
        _log.warning("plugin %s %s on a request", self.id, how, exc_info=shown, extra=facts)
        return self._refusal()

    def wrong(self, answer: object, request: Request) -> Response | None:
        """A hook has returned something else than None or a response."""
        kind = type(answer).__name__
        return self.failed(TypeError(f"the hook returned {kind}, not a Response"), request)

    def skipped(self) -> Response | None:
        """The hook may not be called: the breaker is open or the plugin does not run."""
        self.series.skipped += 1
        return self._refusal()

    def succeeded(self) -> None:
        """A hook that is not timed has gone well."""
        self.vitals.calls += 1
        if self.breaker is not None:
            self.breaker.success()

    async def guarded(self, chunks: AsyncIterator[bytes], request: Request) -> AsyncIterator[bytes]:
        """Pass on what a body filter yields; what it raises is held against it."""
        try:
            async for data in chunks:
                yield data
        except FAULTS as error:
            self.failed(error, request)
            raise
        self.succeeded()

    def _refusal(self) -> Response | None:
        if not self.member.closed:
            return None
        return problem(503, f"plugin {self.id} cannot decide now", retry_after=1)

    def _facts(self, request: Request) -> dict[str, object]:
        return {
            "plugin": self.id,
            "version": self.generation.manifest.version,
            "generation": self.generation.number,
            "request_id": request.id,
        }
