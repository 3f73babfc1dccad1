"""One loaded generation of a plugin in this process: `kernel.Instance`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from plugbay.kernel import Hook, StartFailed
from plugbay.runtimes._alias import belongs, own_name
from plugbay.runtimes._forget import forget
from plugbay.runtimes._hooks import bind_hooks
from plugbay.runtimes._leaks import Remains, references
from plugbay.runtimes._resources import Appeared
from plugbay.sdk import AsgiApp, Stateful

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plugbay.kernel import LoadRequest
    from plugbay.runtimes._finder import Imports
    from plugbay.runtimes._leaks import Kind
    from plugbay.runtimes._resources import Resources
    from plugbay.sdk import Plugin


class PythonInstance:
    """Runs a plugin's object, and lets go of everything of it when it is stopped."""

    def __init__(
        self,
        plugin: Plugin[Any],
        request: LoadRequest,
        imports: Imports,
        before: Resources,
        stopped: Callable[[Remains], None],
    ) -> None:
        self.plugin, self.generation = request.manifest.id, request.generation
        self.alias = imports.alias
        self._imports, self._before, self._stopped = imports, before, stopped
        self._appeared = Appeared()
        self._object: Plugin[Any] | None = plugin
        self._hooks = bind_hooks(plugin)

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """The hooks that the plugin overrides; an `app` that `start` sets is there after it."""
        return self._hooks

    async def start(self) -> None:
        """Start it. Raises what it raises, and `StartFailed` for an ASGI plugin without `app`."""
        plugin = self._running()
        try:
            await plugin.start()
        finally:
            self._appeared = Appeared.since(self._before)
        if isinstance(plugin, AsgiApp):
            self._hooks = bind_hooks(plugin)
            if not callable(getattr(plugin, "app", None)):
                detail = "it is an AsgiApp and has no app: set self.app in start, or define it"
                raise StartFailed(self.plugin, detail, generation=self.generation)

    async def health(self) -> None:
        """Return when healthy, raise when not."""
        await self._running().health()

    async def snapshot(self) -> bytes | None:
        """Return its state; None if it keeps none. Raises `TypeError` if that is not bytes."""
        plugin = self._running()
        if not isinstance(plugin, Stateful):
            return None
        state = cast("object", plugin.snapshot())
        if not isinstance(state, bytes):
            raise TypeError(f"snapshot must return bytes, not {type(state).__name__}")
        return state

    async def restore(self, state: bytes) -> None:
        """Give it the state of the generation before; one that keeps no state ignores it."""
        plugin = self._running()
        if isinstance(plugin, Stateful):
            plugin.restore(state)

    async def stop(self) -> None:
        """Stop it and take it out of the process; a second call does nothing.

        Its modules are gone afterwards even if `stop` raises or is cancelled.
        """
        plugin, self._object = self._object, None
        if plugin is None:
            return
        try:
            await plugin.stop()
        finally:
            self._hooks = {}
            self._unload(plugin)

    def _unload(self, plugin: Plugin[Any]) -> None:
        self._imports.views.run_exit_functions()
        modules = self._imports.remove()
        forget(self.alias, self._imports.payload)
        things: list[tuple[Kind, str, object]] = [
            ("instance", type(plugin).__qualname__, plugin),
            ("class", type(plugin).__qualname__, type(plugin)),
            ("class", type(plugin.config).__qualname__, type(plugin.config)),
            *(("module", own_name(name), module) for name, module in modules.items()),
        ]
        own = [thing for thing in things if thing[0] != "class" or _is_own(thing[2], self.alias)]
        objects = references(own)
        remains = Remains(self.plugin, self.generation, self.alias, objects, self._appeared)
        self._stopped(remains)

    def _running(self) -> Plugin[Any]:
        if self._object is None:
            raise RuntimeError(f"{self.plugin}: generation {self.generation} was stopped")
        return self._object


def _is_own(cls: object, alias: str) -> bool:
    """Return whether a class is the generation's, not the SDK's or the runtime's."""
    return belongs(getattr(cls, "__module__", None), alias)
