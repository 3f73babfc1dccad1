"""One generation of a Go plugin: `kernel.Instance`, with a runner's process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugbay.kernel import Hook, Invalid, StartFailed
from plugbay.runtimes.goso._exchange import Exchanges
from plugbay.runtimes.goso._keeper import Keeper
from plugbay.runtimes.goso._process import Plugin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plugbay.isolation import ProcessPolicy
    from plugbay.kernel import LoadRequest
    from plugbay.sdk import Capability, Manifest

GO_MB = 192
"""Memory that Go itself and its threads' stacks take, beside what the plugin asks for."""
DEFAULT: tuple[Capability, ...] = ("request-filter", "response-filter")
"""What a plugin provides whose manifest names nothing."""


class GosoInstance:
    """Runs a Go plugin behind the gateway's hooks. It keeps no state for the next generation."""

    def __init__(
        self, request: LoadRequest, program: Path, policy: ProcessPolicy, data: Path | None = None
    ) -> None:
        manifest, host = policy.bound(request.manifest), request.host
        self.plugin, self.generation = manifest.id, request.generation
        self.keeper = Keeper(
            program,
            Plugin(file=request.payload, symbol=manifest.entry, config=request.config),
            lambda level, text, fields: host.log.log(level, "%s", text, extra=fields),
            host.clock,
            sandbox=policy.sandbox(manifest, overhead_mb=GO_MB, hide=hide(data)),
            seconds=manifest.limits.start_ms / 1000,
        )
        self._hooks = bind_hooks(manifest, self.keeper, request.generation)

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """Those that the manifest's `provides` asks for."""
        return self._hooks

    @property
    def pids(self) -> tuple[int, ...]:
        """The runner's process, while there is one."""
        return (self.keeper.pid,) if self.keeper.pid else ()

    @property
    def facts(self) -> Mapping[str, Any]:
        """How the plugin is declared, once it was opened: `symbol`, `declared`, `type`, `go`."""
        return self.keeper.facts

    async def start(self) -> None:
        """Start the runner and let it open the plugin. Raises `StartFailed`."""
        try:
            await self.keeper.start()
        except Invalid as error:
            raise StartFailed(
                self.plugin, error.detail, generation=self.generation, problems=error.problems
            ) from None

    async def stop(self) -> None:
        """End the runner."""
        await self.keeper.stop()

    async def health(self) -> None:
        """Return when the runner answers; raises why it does not run."""
        await self.keeper.health()

    async def snapshot(self) -> bytes | None:
        """Return None: a plugin in Go has no way to say its state."""
        return None

    async def restore(self, state: bytes) -> None:
        """Ignore the state of the generation before."""


def bind_hooks(manifest: Manifest, keeper: Keeper, generation: int) -> dict[str, Hook]:
    """Return the hooks for what the manifest provides."""
    legs, bodies = legs_of(manifest)
    key = f"goso:{manifest.id}:{generation}"
    exchanges = Exchanges(keeper.connection, key, legs=legs, bodies=bodies)
    hooks: dict[str, Any] = {"on_request": Hook(exchanges.on_request, True)}
    if legs > 1:
        hooks["on_response"] = Hook(exchanges.on_response, True)
        hooks["on_complete"] = Hook(exchanges.on_complete, False)
    if bodies:
        hooks["request_body"] = Hook(exchanges.request_body, False)
        hooks["response_body"] = Hook(exchanges.response_body, False, late_head=True)
    return hooks


def legs_of(manifest: Manifest) -> tuple[int, bool]:
    """Return whether the response comes by too (2, else 1), and whether bodies may be replaced."""
    provides = manifest.provides or DEFAULT
    bodies = "body-filter" in provides
    return 2 if bodies or "response-filter" in provides else 1, bodies


def hook_names(manifest: Manifest) -> tuple[str, ...]:
    """Return the hooks that a plugin with this manifest has."""
    legs, bodies = legs_of(manifest)
    names = ["on_request", *(("on_response",) if legs > 1 else ())]
    return (*names, "request_body", "response_body") if bodies else tuple(names)


def hide(data: Path | None) -> tuple[str, ...]:
    """Return what is to be hidden from a runner: the gateway's directory."""
    return () if data is None else (str(data.absolute()),)
