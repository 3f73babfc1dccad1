"""All upstream pools of a data plane."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from plugbay.gateway.transport._bulk import Scratch
from plugbay.gateway.transport._ticker import Ticker
from plugbay.gateway.transport._tls import client_context
from plugbay.gateway.upstream._health import HealthChecks
from plugbay.gateway.upstream._pool import UpstreamMeter, UpstreamPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.gateway._spec import UpstreamSpec
    from plugbay.gateway.upstream._targets import TargetState
    from plugbay.kernel import Clock, Randomness

    OnHealth = Callable[[str, TargetState, str], None]


class UpstreamPools:
    """Lends pools to tables: those with the same `UpstreamSpec` share one.

    `on_health(upstream, target, reason)` follows a change of a target's health.
    """

    def __init__(
        self,
        clock: Clock,
        randomness: Randomness,
        meter: UpstreamMeter,
        *,
        tick: float = 0.5,
        on_health: OnHealth | None = None,
    ) -> None:
        self._clock, self._randomness, self._meter = clock, randomness, meter
        self._on_health = on_health
        self._pools: dict[UpstreamSpec, UpstreamPool] = {}
        self._checks: dict[UpstreamSpec, HealthChecks] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._scratch = Scratch()
        self.ticker = Ticker(tick, self._sweep)

    def lease(self, spec: UpstreamSpec) -> UpstreamPool:
        """Return the pool of `spec`, made on first use. Needs the running loop."""
        self.ticker.start(asyncio.get_running_loop())
        pool = self._pools.get(spec)
        if pool is None:
            pool = self._pools[spec] = UpstreamPool(
                spec,
                clock=self._clock,
                randomness=self._randomness,
                ticker=self.ticker,
                meter=self._meter,
                tls=client_context(spec.tls) if spec.tls is not None else None,
                scratch=self._scratch,
            )
            self._watch(spec, pool)
        pool.users += 1
        return pool

    def release(self, pool: UpstreamPool) -> None:
        """A table does not use it any more; the last one closes it."""
        pool.users -= 1
        if not pool.users:
            self._pools.pop(pool.spec, None)
            pool.close()
            self._unwatch(pool.spec)

    @property
    def pools(self) -> tuple[UpstreamPool, ...]:
        """The pools in use."""
        return tuple(self._pools.values())

    async def close(self) -> None:
        """Close spare connections, stop the health checks and the timer."""
        for pool in self.pools:
            pool.close()
        for spec in tuple(self._checks):
            self._unwatch(spec)
        self.ticker.stop()
        await asyncio.gather(*self._ending)

    def _watch(self, spec: UpstreamSpec, pool: UpstreamPool) -> None:
        if spec.health is None:
            return

        def changed(target: TargetState, reason: str) -> None:
            if self._on_health is not None:
                self._on_health(spec.name, target, reason)

        checks = self._checks[spec] = HealthChecks(
            spec.health,
            tuple(pool.targets),
            self._randomness,
            changed,
            tls=pool.tls,
            server_name=spec.tls.server_name if spec.tls is not None else "",
        )
        checks.start()

    def _unwatch(self, spec: UpstreamSpec) -> None:
        checks = self._checks.pop(spec, None)
        if checks is not None:
            task = asyncio.get_running_loop().create_task(checks.stop())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _sweep(self, now: float) -> None:
        for pool in self.pools:
            pool.sweep(now)
