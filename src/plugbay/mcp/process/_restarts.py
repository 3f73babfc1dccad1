"""How a server is started, and when it is started again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plugbay.kernel import CircuitBreaker
from plugbay.mcp.process._child import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plugbay.kernel import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCommand:
    """How to start a server. `env` is asked at each start, and may raise `Unavailable`; None
    hands on our own. `bound`: it ends with this process."""

    name: str
    command: tuple[str, ...]
    env: Callable[[], Mapping[str, str]] | None = None
    directory: str | None = None
    bound: bool = False

    async def spawn(self, *, stderr: bool) -> Child:
        """Start it once; `stderr`: to be read. Raises `NotFound`, `Unavailable`."""
        env = None if self.env is None else self.env()
        return await Child.start(
            self.command, stderr=stderr, env=env, directory=self.directory, bound=self.bound
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """When a server that has ended is started again. Durations in seconds.

    After `crashes` within `window` the breaker opens: nothing is started for `rest`, then one
    process on trial. A process that has run for `steady` has made good for those before it.
    """

    restart: Literal["never", "on-failure", "always"] = "always"
    backoff: float = 0.5
    backoff_ceiling: float = 30.0
    crashes: int = 5
    window: float = 60.0
    rest: float = 30.0
    steady: float = 10.0


def crash_breaker(policy: RestartPolicy, clock: Clock) -> CircuitBreaker:
    """Return the breaker of a server, which all of its processes share."""
    return CircuitBreaker(
        clock, failures=policy.crashes, ratio=0.0, window=policy.window, rest=policy.rest
    )
