"""What the kernel needs of the outside, as protocols that the layers above implement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from plugbay.sdk import Host, Manifest


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook of a plugin, ready to be called; `coroutine` says whether it must be awaited.

    `late_head`: it is a `response_body` that may change the head until it first yields.
    """

    call: Callable[..., Any]
    coroutine: bool
    late_head: bool = False


class Instance(Protocol):
    """One loaded generation of a plugin, whichever runtime holds it.

    `hooks` maps a hook's name (`on_request`, `on_response`, `request_body`, `response_body`,
    `on_complete`, `app`, `on_event`) to the callable; it holds only those the plugin overrides.
    """

    @property
    def hooks(self) -> Mapping[str, Hook]: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def health(self) -> None: ...
    async def snapshot(self) -> bytes | None: ...
    async def restore(self, state: bytes) -> None: ...


@runtime_checkable
class OutOfProcess(Protocol):
    """An instance that runs in processes of its own."""

    @property
    def pids(self) -> tuple[int, ...]:
        """Those that run now; what they have started themselves is not named."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """All that a runtime needs to load one generation.

    `environment` is the virtual environment of a wheel that runs in a process of its own.
    """

    manifest: Manifest
    payload: Path
    digest: str
    config: Mapping[str, Any]
    host: Host
    generation: int
    environment: Path | None = None


class Runtime(Protocol):
    """Turns a validated artifact into an instance that is built but not started."""

    async def load(self, request: LoadRequest) -> Instance:
        """Raises `LoadFailed`; then nothing of the plugin is left behind."""
        ...


class Clock(Protocol):
    """Time. Kernel and control never ask the operating system for it."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def time(self) -> float:
        """Seconds since the Unix epoch."""
        ...


class Randomness(Protocol):
    """Random numbers in [0, 1); `random.Random` is one."""

    def random(self) -> float: ...
