"""The plugin system as it is asked by `/plugins`: nothing here goes to the database per plugin
while nothing has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from plugbay.admin._hkp import _shapes as shape
from plugbay.admin._hkp._dependencies import dependencies
from plugbay.admin._hkp._judge import count, judge, slots_of, state_of
from plugbay.admin._hkp._one import status_of, use_of
from plugbay.admin._hkp._times import go_duration, moment

if TYPE_CHECKING:
    from plugbay.admin._context import Context
    from plugbay.admin._status import PluginView
    from plugbay.artifacts import Artifact

Encoded = Callable[[], bytes]
DRAIN = 60.0
"""Seconds; what the drain of a plugin is unless it says otherwise."""


class HkpSystem:
    """What there is, in HKP's shapes."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self.context.services.clock.time()

    def view(self, plugin: str) -> PluginView:
        """One plugin. Raises `NotFound`."""
        for view in self.context.board.plugins():
            if view.id == plugin:
                return view
        raise self.context.no_plugin(plugin)

    def artifact(self, plugin: str) -> Artifact:
        """What a plugin is made of. Raises `NotFound`."""
        return self.context.services.artifacts.get(self.view(plugin).desired.digest)

    def status(self) -> bytes:
        """`GET /plugins/status`."""
        views = self.context.board.plugins()
        uptime = self.context.services.clock.monotonic() - self.context.since
        tail = {"uptime": go_duration(round(uptime)), "timestamp": moment(self.now)}
        return self._kept(views, "status", lambda: self._status(views), tail)

    def list(self) -> bytes:
        """`GET /plugins/list`."""
        views = self.context.board.plugins()
        tail = {"timestamp": moment(self.now)}
        return self._kept(views, "list", lambda: self._list(views), tail)

    def health(self) -> bytes:
        """`GET /plugins/health`."""
        views = self.context.board.plugins()
        tail = {"timestamp": moment(self.now)}
        return self._kept(views, "health", lambda: self._health(views), tail)

    def graph(self) -> shape.Dependencies:
        """`GET /plugins/dependencies`."""
        views = self.context.board.plugins()
        artifacts = self.context.services.artifacts
        found = {view.id: artifacts.get(view.desired.digest).manifest for view in views}
        manifests = {id: manifest for id, manifest in found.items() if manifest is not None}
        return dependencies(views, manifests, self.now)

    def one(self, plugin: str) -> shape.PluginStatus:
        """`GET /plugins/{id}/status`. Raises `NotFound`."""
        view = self.view(plugin)
        artifact = self.context.services.artifacts.get(view.desired.digest)
        pids = {
            name: link.pid for name, link in self.context.services.control.roster.sessions.items()
        }
        return status_of(view, artifact, self._use(view), pids, self.now)

    def one_health(self, plugin: str) -> shape.OneHealth:
        """`GET /plugins/{id}/health`. Raises `NotFound`."""
        found = judge(self.view(plugin))
        return shape.OneHealth(
            plugin=plugin, timestamp=moment(self.now), **msgspec.structs.asdict(found)
        )

    def one_metrics(self, plugin: str) -> shape.PluginMetrics:
        """`GET /plugins/{id}/metrics`. Raises `NotFound`."""
        return shape.PluginMetrics(
            plugin=plugin,
            metrics=self._use(self.view(plugin)),
            own=self.context.services.figures.own(plugin),
            series=list(self.context.services.traffic.plugin(plugin)),
            timestamp=moment(self.now),
        )

    def config(self, plugin: str) -> shape.PluginConfig:
        """`GET /plugins/{id}/config`. Raises `NotFound`."""
        spec = self.view(plugin).desired
        versions = reversed(self.context.services.configs.configs(plugin))
        return shape.PluginConfig(
            plugin=plugin,
            config=spec.config,
            timestamp=moment(self.now),
            version=spec.config_version,
            config_schema=self.artifact(plugin).config_schema,
            versions=[
                shape.ConfigEntry(
                    version=one.version,
                    timestamp=moment(one.created),
                    author=one.author,
                    comment=one.comment,
                )
                for one in versions
            ],
        )

    def _use(self, view: PluginView) -> shape.ResourceUse:
        points = self.context.services.traffic.plugin(view.id)
        totals = self.context.services.figures.totals(view.id)
        return use_of(view, points[-1] if points else None, totals)

    def _kept(
        self, views: tuple[PluginView, ...], what: str, made: Encoded, tail: dict[str, str]
    ) -> bytes:
        """An answer whose body is kept while the views are the same; only the times are new."""
        body = self.context.listings.get(views, ("hkp", what), made)
        return body[:-1] + b"," + msgspec.json.encode(tail)[1:]

    def _status(self, views: tuple[PluginView, ...]) -> bytes:
        enabled = [view for view in views if view.desired.enabled]
        slots = [slot for view in views for slot in slots_of(view)]
        timeout = max((view.desired.drain for view in enabled), default=DRAIN)
        said = {
            "plugin_system": shape.PluginSystem(
                enabled=True,
                total_plugins=len(views),
                active_plugins=sum(state_of(view) in ("active", "reloading") for view in enabled),
                plugin_dir=self.context.options.plugin_dir,
                active_requests=_inside(views),
                plugin_states={view.id: state_of(view) for view in views},
            ),
            "health_status": count(map(judge, enabled)),
            "draining": shape.Draining(
                timeout=go_duration(timeout),
                poll_interval="0s",
                generations=sum(slot.draining for slot in slots),
                requests=sum(slot.draining_requests for slot in slots),
            ),
        }
        return msgspec.json.encode(said)

    def _list(self, views: tuple[PluginView, ...]) -> bytes:
        listed = [
            shape.ListedPlugin(
                name=view.id,
                version=view.desired.version,
                description=self._summary(view),
                status=state_of(view),
                health=judge(view).status,
            )
            for view in views
        ]
        return msgspec.json.encode({"plugins": listed, "total_count": len(listed)})

    def _health(self, views: tuple[PluginView, ...]) -> bytes:
        healths = {view.id: judge(view) for view in views if view.desired.enabled}
        overall = count(healths.values()).overall_status
        return msgspec.json.encode({"overall_status": overall, "plugins": healths})

    def _summary(self, view: PluginView) -> str:
        manifest = self.context.services.artifacts.get(view.desired.digest).manifest
        return manifest.summary if manifest else ""


def _inside(views: tuple[PluginView, ...]) -> int:
    """Requests inside plugins: of each worker those of the plugin that has the most, because one
    request is inside all the plugins of its chain at once."""
    most: dict[str, int] = {}
    for view in views:
        for seen in view.workers:
            if seen.slot is not None:
                inside = seen.slot.in_flight + seen.slot.draining_requests
                most[seen.worker] = max(most.get(seen.worker, 0), inside)
    return sum(most.values())
