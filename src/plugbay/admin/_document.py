"""A declarative document of desired state: what differs from it, and the changes that make it so.

It has the shape of the routes, upstreams and plugins in `gateway.toml`.
"""

# No postponed annotations here: msgspec reads them, so they must be real.

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from plugbay.admin._schema import check_config
from plugbay.control import (
    DeleteRoute,
    DeleteUpstream,
    Disable,
    Enable,
    PutRoute,
    PutUpstream,
    Remove,
    RuntimeChoice,
)
from plugbay.gateway import RouteSpec, UpstreamSpec
from plugbay.kernel import Difference, Invalid, PlugbayError, Problem, diff

if TYPE_CHECKING:
    from plugbay.admin._services import Artifacts
    from plugbay.control import Desired

Single: TypeAlias = (
    PutUpstream | PutRoute | Enable | Disable | Remove | DeleteRoute | DeleteUpstream
)
OnError = Literal["open", "closed", "default"]
Kind = Literal["plugins", "routes", "upstreams"]


class PluginEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin as it shall be."""

    id: str
    version: str
    enabled: bool = True
    config: dict[str, Any] = {}
    routes: tuple[str, ...] = ()
    on_error: OnError = "default"
    drain: float = 60.0
    watch: float = 30.0
    runtime: RuntimeChoice = "default"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Desired state. With `prune`, what the API manages and is not named here is removed."""

    plugins: tuple[PluginEntry, ...] = ()
    routes: tuple[RouteSpec, ...] = ()
    upstreams: tuple[UpstreamSpec, ...] = ()
    prune: bool = False


class PlanStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is to change."""

    op: Literal["add", "replace", "remove"]
    kind: Kind
    name: str
    differences: tuple[Difference, ...] = ()


class Planner:
    """Compares a document with the desired state."""

    def __init__(self, desired: "Desired", artifacts: "Artifacts", document: Document) -> None:
        self._desired, self._artifacts, self._document = desired, artifacts, document
        self.steps: list[PlanStep] = []
        self.changes: list[Single] = []
        self._problems: list[Problem] = []

    def run(self) -> None:
        """Fill `steps` and `changes`. Raises `Invalid` with everything that is wrong."""
        for upstream in self._document.upstreams:
            old = self._desired.upstreams.get(upstream.name)
            if self._differs("upstreams", upstream.name, old, upstream):
                self.changes.append(PutUpstream(upstream=upstream))
        for route in self._document.routes:
            if self._differs("routes", route.name, self._desired.routes.get(route.name), route):
                self.changes.append(PutRoute(route=route))
        for index, wish in enumerate(self._document.plugins):
            self._plugin(index, wish)
        if self._document.prune:
            self._prune()
        if self._problems:
            more = "; ".join(f"{one.pointer}: {one.detail}" for one in self._problems)
            raise Invalid(f"the document is not valid: {more}", problems=tuple(self._problems))

    def _plugin(self, index: int, wish: PluginEntry) -> None:
        at = f"/plugins/{index}"
        try:
            artifact = self._artifacts.find(wish.id, wish.version)
            check_config(artifact.config_schema, wish.config)
        except PlugbayError as error:
            self._problems += _under(at, error)
            return
        spec = self._desired.plugins.get(wish.id)
        old = None
        if spec is not None:
            old = PluginEntry(**{name: getattr(spec, name) for name in wish.__struct_fields__})
        if not self._differs("plugins", wish.id, old, wish):
            return
        enable = Enable(
            plugin=wish.id,
            digest=artifact.digest,
            config=wish.config,
            routes=wish.routes,
            on_error=wish.on_error,
            drain=wish.drain,
            watch=wish.watch,
            runtime=wish.runtime,
        )
        self.changes.append(enable)
        if not wish.enabled:
            self.changes.append(Disable(plugin=wish.id))

    def _differs(self, kind: Kind, name: str, old: object | None, new: object) -> bool:
        if old is None:
            self.steps.append(PlanStep(op="add", kind=kind, name=name))
        elif found := diff(_plain(old), _plain(new)):
            self.steps.append(PlanStep(op="replace", kind=kind, name=name, differences=found))
        else:
            return False
        if self._desired.origins.get(f"{kind}/{name}") == "file":
            remedy = "change it in gateway.toml"
            self._problems.append(
                Problem(f"/{kind}/{name}", "is managed by a file", "", "", remedy)
            )
        return True

    def _prune(self) -> None:
        for kind, name in self._unnamed():
            self.steps.append(PlanStep(op="remove", kind=kind, name=name))
            if kind == "plugins":
                self.changes.append(Remove(plugin=name, force=True))
            elif kind == "routes":
                self.changes.append(DeleteRoute(name=name))
            else:
                self.changes.append(DeleteUpstream(name=name))

    def _unnamed(self) -> Iterator[tuple[Kind, str]]:
        document, desired = self._document, self._desired
        named = {f"plugins/{wish.id}" for wish in document.plugins}
        named |= {f"routes/{route.name}" for route in document.routes}
        named |= {f"upstreams/{upstream.name}" for upstream in document.upstreams}
        present: tuple[tuple[Kind, list[str]], ...] = (
            ("plugins", sorted(desired.plugins)),
            ("routes", sorted(desired.routes)),
            ("upstreams", sorted(desired.upstreams)),
        )
        for kind, names in present:
            for name in names:
                key = f"{kind}/{name}"
                if key not in named and desired.origins.get(key) != "file":
                    yield kind, name


def _plain(value: object) -> Any:
    """As JSON has it: with lists and no tuples, which `diff` would take for single values."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _under(at: str, error: PlugbayError) -> list[Problem]:
    if not error.problems:
        return [Problem(f"{at}/version", error.detail)]
    return [
        Problem(f"{at}/config{one.pointer}", one.detail, one.expected, one.found, one.remedy)
        for one in error.problems
    ]
