"""One plugin: how it is, its versions, its configuration, its dependencies and its log."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litestar import Controller, Response, get
from litestar.params import FromPath

from plugbay.admin._access import Permission
from plugbay.admin._chain import explain
from plugbay.admin._changes import tag_of
from plugbay.admin._http import Ask, rule
from plugbay.admin.pages._dependencies import manifests, picture
from plugbay.admin.pages._plugin_list import running_graph, trouble
from plugbay.admin.pages._receipts import OperationCard
from plugbay.admin.pages._rendering import Pages, Show
from plugbay.admin.pages._schema_form import form_of
from plugbay.admin.pages._traffic import TrafficView
from plugbay.kernel import DependencyGraph, diff

if TYPE_CHECKING:
    from plugbay.admin._status import PluginView
    from plugbay.artifacts import Artifact
    from plugbay.kernel import ConfigVersion, Difference

LOG_LINES = 200
LOOK_BACK = 50
"""Operations among which the last change of a plugin is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastConfig:
    """A version of the configuration, and how it differs from the one before."""

    version: "ConfigVersion"
    differences: "tuple[Difference, ...]"


class PluginPageRoutes(Controller):
    """The pages of one plugin."""

    path = "/plugins/{plugin:str}"

    @get("/", opt=rule(Permission.READ))
    async def overview(self, request: Ask, pages: Show, plugin: FromPath[str]) -> Response[str]:
        """State, traffic, and the last change with its receipt."""
        ledger = pages.context.services.control.ledger
        last = next(
            (
                OperationCard.of(one)
                for one in ledger.latest(limit=LOOK_BACK)
                if plugin in {change.plugin for change in one.changes}
            ),
            None,
        )
        points = pages.context.services.traffic.plugin(plugin)
        traffic = TrafficView.of(points)
        figures = pages.context.services.figures
        return _show(
            request,
            pages,
            plugin,
            "overview",
            last=last,
            traffic=traffic,
            totals=figures.totals(plugin),
            own=figures.own(plugin),
        )

    @get("/versions", opt=rule(Permission.READ))
    async def versions(self, request: Ask, pages: Show, plugin: FromPath[str]) -> Response[str]:
        """What could run in its place."""
        found = pages.context.services.artifacts.versions(plugin)
        return _show(request, pages, plugin, "versions", versions=found)

    @get("/config", opt=rule(Permission.READ))
    async def config(self, request: Ask, pages: Show, plugin: FromPath[str]) -> Response[str]:
        """A form for the configuration, and its history."""
        view, artifact = _found(pages, plugin)
        config = view.desired.config
        return _show(
            request,
            pages,
            plugin,
            "config",
            fields=form_of(artifact.config_schema, config),
            about=" ".join(str((artifact.config_schema or {}).get("description", "")).split()),
            config=config,
            history=_history(pages.context.services.configs.configs(plugin)),
        )

    @get("/dependencies", opt=rule(Permission.READ))
    async def needs(self, request: Ask, pages: Show, plugin: FromPath[str]) -> Response[str]:
        """What it needs, what needs it, and where it stands on each route."""
        _found(pages, plugin)
        every = manifests(pages)
        needed_by = DependencyGraph(every.values()).dependents(plugin) if plugin in every else ()
        return _show(
            request,
            pages,
            plugin,
            "dependencies",
            picture=picture(pages, {plugin, *needed_by, *_needs(every, plugin)}),
            users=needed_by,
            chains=_chains(pages, plugin),
        )

    @get("/logs", opt=rule(Permission.READ))
    async def logs(self, request: Ask, pages: Show, plugin: FromPath[str]) -> Response[str]:
        """What it has logged lately, the newest first."""
        lines = pages.context.services.logs.recent(plugin, LOG_LINES)
        return _show(request, pages, plugin, "logs", lines=lines[::-1])


def _show(request: Ask, pages: Pages, plugin: str, tab: str, **values: Any) -> Response[str]:
    view, artifact = _found(pages, plugin)
    graph = running_graph(pages)
    return pages.show(
        request,
        f"plugin_{tab}.html",
        section="plugins",
        tab=tab,
        view=view,
        artifact=artifact,
        manifest=artifact.manifest,
        trouble=trouble(view),
        fixed=view.managed_by == "file",
        needed_by=graph.dependents(plugin) if view.desired.enabled else (),
        etag=tag_of(pages.context.services.control.desired, f"plugins/{plugin}"),
        **values,
    )


def _found(pages: Pages, plugin: str) -> "tuple[PluginView, Artifact]":
    view = pages.context.board.plugin(plugin)
    if view is None:
        raise pages.context.no_plugin(plugin)
    return view, pages.context.services.artifacts.get(view.desired.digest)


def _history(versions: "list[ConfigVersion]") -> list[PastConfig]:
    """The newest first."""
    before = [{}, *(version.config for version in versions)]
    pairs = [
        PastConfig(version=version, differences=diff(old, version.config))
        for old, version in zip(before, versions, strict=False)
    ]
    return pairs[::-1]


def _needs(every: Any, plugin: str) -> set[str]:
    """What it needs, also through others, of what is there."""
    found: set[str] = set()
    rest = [plugin]
    while rest:
        manifest = every.get(rest.pop())
        fresh = [] if manifest is None else [id for id in manifest.requires if id not in found]
        found.update(id for id in fresh if id in every)
        rest += [id for id in fresh if id in every]
    return found


def _chains(pages: Pages, plugin: str) -> dict[str, list[Any]]:
    """The order of the plugins on each route that it runs on."""
    chains = {
        route: explain(pages.context, route)
        for route in sorted(pages.context.services.control.desired.routes)
    }
    return {
        route: chain for route, chain in chains.items() if plugin in {one.plugin for one in chain}
    }
