"""The plugins, with their state and traffic."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from litestar import Controller, Response, get
from litestar.params import FromQuery, QueryParameter

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, rule
from plugbay.admin.pages._rendering import Pages, Show
from plugbay.admin.pages._traffic import TrafficView
from plugbay.kernel import ArtifactState, DependencyGraph

if TYPE_CHECKING:
    from plugbay.admin._status import PluginView
    from plugbay.artifacts import Artifact

STATES = ("active", "loading", "reloading", "draining", "failed", "disabled", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRow:
    """One plugin in the list."""

    id: str
    version: str
    runtime: str
    summary: str
    author: str
    state: str
    reason: str
    enabled: bool
    fixed: bool
    """Only gateway.toml can change it."""
    routes: tuple[str, ...]
    needed_by: tuple[str, ...]
    """The plugins that would stop with it."""
    in_flight: int
    traffic: TrafficView

    def matches(self, text: str) -> bool:
        """Whether a search for `text` finds it."""
        places = (self.id, self.version, self.runtime, self.summary, self.author, *self.routes)
        return not text or any(text in place.lower() for place in places)


class PluginListRoutes(Controller):
    """The list."""

    path = "/plugins"

    @get("/", opt=rule(Permission.READ))
    async def list(
        self,
        request: Ask,
        pages: Show,
        q: FromQuery[str] = "",
        wanted: Annotated[str, QueryParameter(name="state")] = "",
    ) -> Response[str]:
        """The plugins, by id."""
        rows = plugin_rows(pages)
        text = q.strip().lower()
        found = [row for row in rows if row.matches(text) and wanted in ("", row.state)]
        return pages.show(
            request,
            "plugins.html",
            section="plugins",
            rows=found,
            total=len(rows),
            stored=len(pages.context.services.artifacts.list(state=ArtifactState.VALIDATED)),
            active=sum(row.state == "active" for row in rows),
            q=q,
            state=wanted,
            states=STATES,
        )


def plugin_rows(pages: Pages) -> list[PluginRow]:
    """Every plugin that is wanted, by id."""
    context = pages.context
    views = list(context.board.plugins())
    artifacts = {view.id: context.services.artifacts.get(view.desired.digest) for view in views}
    graph = running_graph(pages)
    return [
        _row(
            view,
            artifacts[view.id],
            needed_by=_dependents(graph, view),
            traffic=TrafficView.of(context.services.traffic.plugin(view.id)),
        )
        for view in views
    ]


def running_graph(pages: Pages) -> DependencyGraph:
    """Who needs whom, of the plugins that are enabled."""
    services = pages.context.services
    artifacts = [
        services.artifacts.get(spec.digest) for spec in services.control.desired.enabled().values()
    ]
    return DependencyGraph(one.manifest for one in artifacts if one.manifest is not None)


def _dependents(graph: DependencyGraph, view: "PluginView") -> tuple[str, ...]:
    return graph.dependents(view.id) if view.desired.enabled else ()


def _row(
    view: "PluginView", artifact: "Artifact", *, needed_by: tuple[str, ...], traffic: TrafficView
) -> PluginRow:
    manifest, metadata = artifact.manifest, artifact.metadata
    slots = [seen.slot for seen in view.workers if seen.slot is not None]
    return PluginRow(
        id=view.id,
        version=view.desired.version,
        runtime=view.desired.runtime_of(manifest) if manifest else "",
        summary=manifest.summary if manifest else "",
        author=metadata.author if metadata else "",
        state=view.state,
        reason=trouble(view),
        enabled=view.desired.enabled,
        fixed=view.managed_by == "file",
        routes=view.desired.routes,
        needed_by=needed_by,
        in_flight=sum(slot.in_flight for slot in slots),
        traffic=traffic,
    )


def trouble(view: "PluginView") -> str:
    """What stands in the way of what is wanted, if anything does."""
    said = {condition.type: condition for condition in view.conditions}
    if said["Quarantined"].status == "True":
        return f"in quarantine: {said['Quarantined'].message}"
    if view.desired.enabled and said["Serving"].status == "False":
        return said["Serving"].message
    return ""
