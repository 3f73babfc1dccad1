"""From what runs and what was asked for to the next desired state: pure, and checked whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from plugbay.control import _change as ask
from plugbay.control._check import check
from plugbay.control._model import Desired, Pinned, PluginSpec
from plugbay.control._pin import refuse_move
from plugbay.control._plan import KINDS, Plan, has, touched, waits
from plugbay.kernel import ConfigVersion, Conflict, DependencyGraph, Invalid, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.control._messages import Facts
    from plugbay.control._model import Origin
    from plugbay.control._ports import Books

_FILE: Origin = "file"


def plan(
    desired: Desired,
    change: ask.Change,
    *,
    books: Books,
    facts: Mapping[str, Facts],
    author: str,
    now: float,
) -> Plan:
    """Apply `change` and check the result.

    Raises `NotFound`, `Conflict` (needed by others, managed by the file), `Invalid`, or
    `DependencyProblem`.
    """
    draft = _Draft(desired, books, facts, author, now)
    for single in change.changes if isinstance(change, ask.Batch) else (change,):
        draft.apply(single)
    return draft.finish()


class _Draft:
    """The desired state while it is changed."""

    def __init__(
        self,
        desired: Desired,
        books: Books,
        facts: Mapping[str, Facts],
        author: str,
        now: float,
    ) -> None:
        self._base = desired
        self._plugins, self._origins = dict(desired.plugins), dict(desired.origins)
        self._simple: dict[str, dict[str, Any]] = {
            kind: dict(getattr(desired, kind)) for kind in KINDS if kind != "plugins"
        }
        self._books, self._facts, self._author, self._now = books, facts, author, now
        self._configs: list[tuple[str, ConfigVersion]] = []

    def apply(self, change: ask.Single) -> None:
        """Make one change."""
        match change:
            case ask.Enable():
                self._enable(change)
            case ask.Swap():
                self._swap(change)
            case ask.Configure():
                spec = self._spec(change.plugin)
                self._put(self._configured(spec, change.config, change.comment))
            case ask.Disable():
                self._disable(change.plugin, force=change.force)
            case ask.Reload():
                spec = self._spec(change.plugin)
                self._put(replace(spec, reloads=spec.reloads + 1))
            case ask.Rollback():
                self._rollback(change)
            case ask.Remove():
                refuse_move(self._spec(change.plugin), "")
                self._disable(change.plugin, force=change.force)
                del self._plugins[change.plugin]
                self._origins.pop(f"plugins/{change.plugin}", None)
            case ask.Pin():
                self._pin(change.plugin, Pinned(by=self._author, at=self._now, why=change.why))
            case ask.Unpin():
                self._pin(change.plugin, None)
            case ask.PutRoute(route=route):
                self._set("routes", route.name, route)
            case ask.PutUpstream(upstream=upstream):
                self._set("upstreams", upstream.name, upstream)
            case ask.PutMcpServer(server=server):
                self._set("mcp_servers", server.name, server)
            case ask.PutMcpFederation(federation=federation):
                self._set("mcp_federations", federation.name, federation)
            case ask.DeleteRoute():
                self._delete("routes", change.name)
            case ask.DeleteUpstream():
                self._delete("upstreams", change.name)
            case ask.DeleteMcpServer():
                self._delete_mcp("mcp_servers", change)
            case ask.DeleteMcpFederation():
                self._delete_mcp("mcp_federations", change)
            case ask.FileSet():
                self._take_file(change)

    def finish(self) -> Plan:
        """Check the whole and number it."""
        desired = Desired(
            revision=self._base.revision + 1,
            plugins=self._plugins,
            origins=self._origins,
            **self._simple,
        )
        names = touched(self._base, desired)
        if not names:
            return Plan(desired=self._base)
        changed = {**self._base.changed, **dict.fromkeys(names, desired.revision)}
        desired = replace(desired, changed={k: at for k, at in changed.items() if has(desired, k)})
        check(desired, self._facts)
        return Plan(
            desired=desired,
            configs=tuple(self._configs),
            touched=names,
            waits=waits(self._base, desired, self._facts),
        )

    def _enable(self, change: ask.Enable) -> None:
        known = self._plugins.get(change.plugin)
        if known is None and not change.digest:
            raise NotFound(f"{change.plugin} is not there yet: say which version to enable")
        digest = change.digest or (known.digest if known else "")
        spec = known or PluginSpec(id=change.plugin, version="", digest=digest, config_version=0)
        given: dict[str, Any] = {
            name: getattr(change, name)
            for name in ("routes", "on_error", "drain", "watch", "runtime")
        }
        fields = {name: value for name, value in given.items() if value is not None}
        spec = self._versioned(_fresh(spec, replace(spec, enabled=True, **fields)), digest)
        config = change.config
        if config is None:
            config = known.config if known else self._facts[digest].manifest.config
        self._put(self._configured(spec, config, change.comment))

    def _swap(self, change: ask.Swap) -> None:
        spec = self._versioned(self._spec(change.plugin), change.digest)
        config = spec.config if change.config is None else change.config
        self._put(self._configured(spec, config, change.comment))

    def _disable(self, id: str, *, force: bool) -> None:
        spec = self._spec(id)
        running = [self._plugins[name] for name in self._plugins if self._plugins[name].enabled]
        if not spec.enabled:
            self._guard(f"plugins/{id}")
            return
        graph = DependencyGraph(self._facts[other.digest].manifest for other in running)
        dependents = graph.dependents(id)
        if dependents and not force:
            names = ", ".join(dependents)
            raise Conflict(f"{id} is needed by {names}: disable these first, or use force")
        for name in (id, *dependents):
            self._put(replace(self._plugins[name], enabled=False))

    def _rollback(self, change: ask.Rollback) -> None:
        spec = self._spec(change.plugin)
        comment = change.comment or "Roll back"
        if change.config_version is not None:
            versions = {item.version: item for item in self._books.configs(change.plugin)}
            if change.config_version not in versions:
                raise NotFound(f"{change.plugin} has no config version {change.config_version}")
            config = versions[change.config_version].config
            self._put(self._configured(spec, config, comment))
            return
        old = self._before(spec)
        if old is None or not old.enabled:
            self._disable(change.plugin, force=bool(change.cause))
            return
        refuse_move(spec, old.digest)
        back = replace(
            spec, digest=old.digest, version=old.version, runtime=old.runtime, enabled=True
        )
        back = replace(back, reloads=spec.reloads + (back.instance == spec.instance))
        self._put(self._configured(back, old.config, comment))

    def _pin(self, id: str, pin: Pinned | None) -> None:
        """Hold or release a plugin, whoever manages it: a pin holds against the file too."""
        self._plugins[id] = replace(self._spec(id), pin=pin)

    def _before(self, spec: PluginSpec) -> PluginSpec | None:
        """Return it as it was when another instance of it ran, or none."""
        key, at = f"plugins/{spec.id}", self._base.changed.get(f"plugins/{spec.id}", 0)
        while (revision := self._books.revision(at - 1)) is not None:
            old = revision.desired.plugins.get(spec.id)
            if old is None or (old.instance, old.enabled) != (spec.instance, spec.enabled):
                return old
            at = revision.desired.changed.get(key, 0)
        return None

    def _take_file(self, change: ask.FileSet) -> None:
        """Let the file manage what it names, and take away what it does not name any more."""
        simple: dict[str, dict[str, Any]] = {
            "routes": {one.name: one for one in change.routes},
            "upstreams": {one.name: one for one in change.upstreams},
            "mcp_servers": {one.name: one for one in change.mcp.servers},
            "mcp_federations": {one.name: one for one in change.mcp.federations},
        }
        named = {f"{kind}/{name}" for kind, found in simple.items() for name in found}
        named |= {f"plugins/{item.id}" for item in change.plugins}
        for key in [key for key, origin in self._origins.items() if origin == "file"]:
            if key not in named:
                self._drop(key)
        for kind, found in simple.items():
            self._simple[kind].update(found)
        for item in change.plugins:
            self._take_plugin(item)
        self._origins |= dict.fromkeys(named, _FILE)

    def _take_plugin(self, item: PluginSpec) -> None:
        old = self._plugins.get(item.id) or replace(item, config={}, config_version=0, reloads=0)
        refuse_move(old, item.digest)
        spec = replace(
            item,
            config=old.config,
            config_version=old.config_version,
            reloads=old.reloads,
            pin=old.pin,
        )
        spec = self._versioned(_fresh(old, spec), item.digest)
        config = item.config or self._facts[item.digest].manifest.config
        self._plugins[item.id] = self._configured(spec, config, "gateway.toml")

    def _drop(self, key: str) -> None:
        kind, _, name = key.partition("/")
        if kind == "plugins":
            refuse_move(self._spec(name), "")
            del self._plugins[name]
        else:
            del self._simple[kind][name]
        del self._origins[key]

    def _versioned(self, spec: PluginSpec, digest: str) -> PluginSpec:
        manifest = self._facts[digest].manifest
        if manifest.id != spec.id:
            raise Invalid(f"artifact {digest[:12]} is the plugin {manifest.id}, not {spec.id}")
        refuse_move(spec, digest)
        return replace(spec, digest=digest, version=manifest.version)

    def _configured(self, spec: PluginSpec, config: dict[str, Any], comment: str) -> PluginSpec:
        """Give it a configuration: a new version, unless it has just this one."""
        if spec.config_version and spec.config == config:
            return spec
        known = self._books.configs(spec.id)
        last = max((item.version for item in known), default=0)
        last = max([last, *(item.version for id, item in self._configs if id == spec.id)])
        version = ConfigVersion(
            version=last + 1,
            config=config,
            created=self._now,
            author=self._author,
            comment=comment,
        )
        self._configs.append((spec.id, version))
        return replace(spec, config=config, config_version=version.version)

    def _spec(self, id: str) -> PluginSpec:
        try:
            return self._plugins[id]
        except KeyError:
            raise NotFound(f"there is no plugin {id}") from None

    def _put(self, spec: PluginSpec) -> None:
        self._guard(f"plugins/{spec.id}")
        self._plugins[spec.id] = spec

    def _set(self, kind: str, name: str, spec: object) -> None:
        self._guard(f"{kind}/{name}")
        self._simple[kind][name] = spec

    def _delete(self, kind: str, name: str) -> None:
        if name not in self._simple[kind]:
            raise NotFound(f"there is nothing called {kind}/{name}")
        self._guard(f"{kind}/{name}")
        del self._simple[kind][name]

    def _delete_mcp(self, kind: str, change: ask.DeleteMcpServer | ask.DeleteMcpFederation) -> None:
        self._delete(kind, change.name)
        routes = self._simple["routes"].values() if change.routes else ()
        for name in [route.name for route in routes if route.mcp == change.name]:
            self._delete("routes", name)

    def _guard(self, key: str) -> None:
        if self._origins.get(key) == "file":
            raise Conflict(f"{key} is managed by gateway.toml: change it there")


def _fresh(old: PluginSpec, new: PluginSpec) -> PluginSpec:
    """Have a fresh generation of it made if it is to run by another runtime."""
    return new if old.runtime == new.runtime else replace(new, reloads=old.reloads + 1)
