"""From a desired state and a change to the next one."""

from __future__ import annotations

from typing import Any

import pytest

from plugbay.control import (
    Batch,
    Change,
    Configure,
    DeleteMcpServer,
    DeleteRoute,
    DeleteUpstream,
    Desired,
    Disable,
    Enable,
    Facts,
    FileSet,
    Pin,
    Plan,
    PluginSpec,
    PutMcpServer,
    PutRoute,
    PutUpstream,
    Reload,
    Remove,
    Revision,
    Rollback,
    Swap,
    Unpin,
    plan,
)
from plugbay.control._change import digests_of, keys_of
from plugbay.control._model import Pinned
from plugbay.gateway import RouteSpec, Target, UpstreamSpec
from plugbay.kernel import ConfigVersion, Conflict, DependencyProblem, Invalid, NotFound
from plugbay.mcp.serving import ServerSpec
from plugbay.sdk import Limits, Manifest, Order


def _facts(id: str, version: str, **fields: Any) -> Facts:
    manifest = Manifest(id=id, version=version, api=1, runtime="python", entry="m:C", **fields)
    return Facts(manifest=manifest, payload="/p", digest=f"{id}-{version}")


FACTS = {
    facts.digest: facts
    for facts in (
        _facts("base", "1.0"),
        _facts("base", "2.0"),
        _facts("auth", "1.0", requires={"base": "<2"}),
        _facts("app", "1.0", provides=("asgi-app",), reload="exclusive"),
        _facts("first", "1.0", order=Order(before=("second",))),
        _facts("second", "1.0", order=Order(before=("first",))),
        _facts("tuned", "1.0", config={"speed": 1}),
        _facts("slow", "1.0", limits=Limits(start_ms=30_000)),
        _facts("stuck", "1.0", limits=Limits(start_ms=10**9)),
    )
}
UPSTREAM = UpstreamSpec(name="u", targets=(Target(address="a:1"),))
ROUTE = RouteSpec(name="r", upstream="u")


class Past:
    """Everything that was committed; implements `Books`."""

    def __init__(self) -> None:
        self.desired = Desired()
        self.revisions: dict[int, Revision] = {}
        self.versions: dict[str, list[ConfigVersion]] = {}

    def configs(self, plugin: str) -> list[ConfigVersion]:
        return self.versions.get(plugin, [])

    def revision(self, number: int) -> Revision | None:
        return self.revisions.get(number)

    def plan(self, change: Change) -> Plan:
        return plan(self.desired, change, books=self, facts=FACTS, author="me", now=5.0)

    def do(self, *changes: Change) -> Plan:
        for change in changes:
            made = self.plan(change)
            self.desired = made.desired
            number = made.desired.revision
            self.revisions[number] = Revision(desired=made.desired, operation="o", created=0.0)
            for id, version in made.configs:
                self.versions.setdefault(id, []).append(version)
        return made


def test_enabling_needs_a_version_once_and_keeps_what_is_not_named() -> None:
    past = Past()
    with pytest.raises(NotFound, match="which version"):
        past.plan(Enable(plugin="base"))
    made = past.do(Enable(plugin="base", digest="base-1.0", config={"n": 1}, drain=7.0))
    spec = made.desired.plugins["base"]
    assert (spec.version, spec.config_version, spec.drain) == ("1.0", 1, 7.0)
    assert made.touched == ("plugins/base",)
    assert made.desired.changed == {"plugins/base": 1}
    assert made.watch() == {"base": 30.0}
    assert made.drains() == 22.0  # a generation that was disabled a moment ago may have to leave
    spec = past.do(Disable(plugin="base"), Enable(plugin="base")).desired.plugins["base"]
    assert (spec.config, spec.config_version, spec.drain) == ({"n": 1}, 1, 7.0)


@pytest.mark.parametrize(("plugin", "seconds"), [("base", 0), ("slow", 40), ("stuck", 100)])
def test_workers_have_the_time_to_load_and_start_that_manifests_ask_for(
    plugin: str, seconds: float
) -> None:
    made = Past().do(Enable(plugin=plugin, digest=f"{plugin}-1.0"))
    assert made.starts(FACTS) == seconds


def test_the_same_again_changes_nothing() -> None:
    past = Past()
    past.do(Enable(plugin="base", digest="base-1.0"))
    made = past.plan(Enable(plugin="base"))
    assert made.touched == ()
    assert made.desired is past.desired
    assert past.plan(Disable(plugin="base")).touched
    past.do(Disable(plugin="base"))
    assert not past.plan(Disable(plugin="base")).touched


def test_a_configuration_gets_a_new_version_only_if_it_differs() -> None:
    past = Past()
    past.do(Enable(plugin="base", digest="base-1.0"))
    assert not past.plan(Configure(plugin="base", config={})).configs
    made = past.do(Configure(plugin="base", config={"a": 1}, comment="why"))
    [(id, version)] = made.configs
    assert (id, version.version, version.author, version.comment) == ("base", 2, "me", "why")
    made = past.do(Rollback(plugin="base", config_version=1))
    assert made.desired.plugins["base"].config == {}
    assert made.desired.plugins["base"].config_version == 3
    with pytest.raises(NotFound, match="no config version 9"):
        past.plan(Rollback(plugin="base", config_version=9))


def test_a_plugin_begins_with_the_configuration_of_its_manifest() -> None:
    past = Past()
    past.do(Enable(plugin="tuned", digest="tuned-1.0"))
    assert past.desired.plugins["tuned"].config == {"speed": 1}
    past.do(Configure(plugin="tuned", config={}))
    past.do(Enable(plugin="tuned"))
    assert past.desired.plugins["tuned"].config == {}

    spec = PluginSpec(id="tuned", version="1.0", digest="tuned-1.0")
    managed = Past()
    managed.do(FileSet(plugins=(spec,)))
    assert managed.desired.plugins["tuned"].config == {"speed": 1}


def test_a_pinned_plugin_stays_at_its_version() -> None:
    past = Past()
    past.do(Enable(plugin="base", digest="base-1.0"), Swap(plugin="base", digest="base-2.0"))
    made = past.do(Pin(plugin="base", why="audit on Monday"))
    assert made.touched == ("plugins/base",)
    assert made.desired.plugins["base"].pin == Pinned(by="me", at=5.0, why="audit on Monday")
    moved = PluginSpec(id="base", version="1.0", digest="base-1.0")
    for change in (
        Swap(plugin="base", digest="base-1.0"),
        Enable(plugin="base", digest="base-1.0"),
        Rollback(plugin="base"),
        Rollback(plugin="base", cause="op-1"),
        Remove(plugin="base"),
        FileSet(plugins=(moved,)),
        Batch(changes=(Pin(plugin="base"), Swap(plugin="base", digest="base-1.0"))),
    ):
        with pytest.raises(
            Conflict, match=r"base is pinned to 2\.0 by me since 1970-01-01T00:00:05"
        ):
            past.plan(change)
    with pytest.raises(Conflict, match="because: audit on Monday; unpin it first"):
        past.plan(Rollback(plugin="base"))
    past.do(Configure(plugin="base", config={"n": 1}), Disable(plugin="base"))
    held = past.do(Enable(plugin="base", digest="base-2.0"), Reload(plugin="base"))
    assert held.desired.plugins["base"].pin is not None
    past.do(Unpin(plugin="base"))
    assert not past.plan(Unpin(plugin="base")).touched
    assert past.do(Swap(plugin="base", digest="base-1.0")).desired.plugins["base"].pin is None


def test_a_pin_holds_against_the_file_that_manages_the_plugin() -> None:
    past = Past()
    mine = PluginSpec(id="base", version="1.0", digest="base-1.0")
    past.do(FileSet(plugins=(mine,)), Pin(plugin="base"), FileSet(plugins=(mine,)))
    assert past.desired.plugins["base"].pin is not None
    for plugins in ((), (PluginSpec(id="base", version="2.0", digest="base-2.0"),)):
        with pytest.raises(Conflict, match=r"pinned to 1\.0"):
            past.plan(FileSet(plugins=plugins))
    past.do(Unpin(plugin="base"), FileSet())
    assert not past.desired.plugins


def test_a_batch_numbers_its_configurations_one_after_the_other() -> None:
    changes = (
        Enable(plugin="base", digest="base-1.0", config={"a": 1}),
        Configure(plugin="base", config={"a": 2}),
    )
    made = Past().plan(Batch(changes=changes))
    assert [version.version for _, version in made.configs] == [1, 2]
    assert made.desired.plugins["base"].config_version == 2
    assert made.desired.revision == 1


def test_rolling_back_returns_artifact_and_configuration() -> None:
    past = Past()
    past.do(PutUpstream(upstream=UPSTREAM), PutRoute(route=ROUTE))
    past.do(Enable(plugin="base", digest="base-1.0", config={"n": 1}))
    past.do(Swap(plugin="base", digest="base-2.0", config={"n": 2}))
    past.do(Enable(plugin="base", routes=("r",)))  # not another instance: it is passed over
    spec = past.do(Rollback(plugin="base")).desired.plugins["base"]
    assert (spec.version, spec.config, spec.config_version, spec.routes) == (
        "1.0",
        {"n": 1},
        3,
        ("r",),
    )


def test_rolling_back_what_was_not_there_disables_it() -> None:
    past = Past()
    past.do(Enable(plugin="base", digest="base-1.0"))
    assert not past.do(Rollback(plugin="base")).desired.plugins["base"].enabled


def test_rolling_back_a_reload_starts_a_fresh_generation() -> None:
    past = Past()
    past.do(Enable(plugin="base", digest="base-1.0"))
    reloaded = past.do(Reload(plugin="base")).desired.plugins["base"]
    back = past.do(Rollback(plugin="base")).desired.plugins["base"]
    assert back.digest == reloaded.digest
    assert back.instance != reloaded.instance


def test_what_others_need_is_not_taken_away() -> None:
    past = Past()
    with pytest.raises(DependencyProblem, match="missing"):
        past.plan(Enable(plugin="auth", digest="auth-1.0"))
    past.do(Enable(plugin="base", digest="base-1.0"), Enable(plugin="auth", digest="auth-1.0"))
    for change in (Disable(plugin="base"), Remove(plugin="base")):
        with pytest.raises(Conflict, match="needed by auth"):
            past.plan(change)
    with pytest.raises(DependencyProblem, match="another version"):
        past.plan(Swap(plugin="base", digest="base-2.0"))
    assert not past.plan(Disable(plugin="base", force=True)).desired.enabled()
    gone = past.plan(Remove(plugin="base", force=True)).desired
    assert list(gone.plugins) == ["auth"]
    assert "plugins/base" not in gone.changed


def test_an_order_that_cannot_be_is_refused() -> None:
    past = Past()
    past.do(Enable(plugin="first", digest="first-1.0"))
    with pytest.raises(DependencyProblem, match="order"):
        past.plan(Enable(plugin="second", digest="second-1.0"))


def test_an_artifact_of_another_plugin_is_refused() -> None:
    with pytest.raises(Invalid, match="is the plugin base, not auth"):
        Past().plan(Enable(plugin="auth", digest="base-1.0"))


@pytest.mark.parametrize(
    ("route", "pointer"),
    [
        (RouteSpec(name="x"), "/routes/x"),
        (RouteSpec(name="x", upstream="u", plugin="app"), "/routes/x"),
        (RouteSpec(name="x", upstream="none"), "/routes/x/upstream"),
        (RouteSpec(name="x", plugin="none"), "/routes/x/plugin"),
        (RouteSpec(name="x", plugin="base"), "/routes/x/plugin"),
    ],
)
def test_a_route_leads_somewhere(route: RouteSpec, pointer: str) -> None:
    past = Past()
    past.do(PutUpstream(upstream=UPSTREAM), Enable(plugin="base", digest="base-1.0"))
    past.do(Enable(plugin="app", digest="app-1.0"))
    with pytest.raises(Invalid) as caught:
        past.plan(PutRoute(route=route))
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
    assert past.plan(PutRoute(route=RouteSpec(name="x", plugin="app"))).touched == ("routes/x",)


def test_routes_and_upstreams_come_and_go() -> None:
    past = Past()
    past.do(PutUpstream(upstream=UPSTREAM), PutRoute(route=ROUTE))
    with pytest.raises(Invalid, match="does not exist"):
        past.plan(DeleteUpstream(name="u"))
    with pytest.raises(Invalid, match="names no route: x"):
        past.plan(Enable(plugin="base", digest="base-1.0", routes=("x",)))
    past.do(DeleteRoute(name="r"), DeleteUpstream(name="u"))
    assert not past.desired.routes
    assert past.desired.changed == {}
    for change in (DeleteRoute(name="r"), DeleteUpstream(name="u"), Reload(plugin="base")):
        with pytest.raises(NotFound):
            past.plan(change)


def test_what_the_file_manages_the_api_does_not_change() -> None:
    past = Past()
    item = PluginSpec(id="base", version="1.0", digest="base-1.0", config={"n": 1})
    made = past.do(FileSet(plugins=(item,), routes=(ROUTE,), upstreams=(UPSTREAM,)))
    assert set(made.desired.origins.values()) == {"file"}
    assert made.desired.plugins["base"].config_version == 1
    for change in (
        Configure(plugin="base", config={}),
        Disable(plugin="base"),
        PutRoute(route=ROUTE),
        DeleteRoute(name="r"),
        PutUpstream(upstream=UPSTREAM),
    ):
        with pytest.raises(Conflict, match=r"managed by gateway\.toml"):
            past.plan(change)
    assert not past.plan(FileSet(plugins=(item,), routes=(ROUTE,), upstreams=(UPSTREAM,))).touched
    made = past.do(FileSet(upstreams=(UPSTREAM,)))
    assert (dict(made.desired.plugins), dict(made.desired.routes)) == ({}, {})
    assert list(made.desired.origins) == ["upstreams/u"]


def test_a_server_goes_with_its_routes_unless_the_file_manages_one() -> None:
    server, leads = ServerSpec(name="s", command="c"), RouteSpec(name="a", path="/a", mcp="s")
    past = Past()
    past.do(PutMcpServer(server=server), PutRoute(route=leads))
    made = past.plan(DeleteMcpServer(name="s", routes=True))
    assert made.touched == ("mcp_servers/s", "routes/a")
    past.do(FileSet(routes=(RouteSpec(name="fixed", path="/f", mcp="s"),)))
    with pytest.raises(Conflict, match=r"routes/fixed is managed by gateway\.toml"):
        past.plan(DeleteMcpServer(name="s", routes=True))
    with pytest.raises(Invalid, match="routes/a/mcp does not exist"):
        past.plan(DeleteMcpServer(name="s"))


def test_the_file_takes_over_what_the_api_made() -> None:
    past = Past()
    past.do(PutUpstream(upstream=UPSTREAM))
    made = past.do(FileSet(upstreams=(UPSTREAM,)))
    assert made.touched == ("upstreams/u",)
    assert made.desired.origins == {"upstreams/u": "file"}


def test_changes_say_what_they_are_about() -> None:
    batch = Batch(changes=(Swap(plugin="base", digest="d"), Enable(plugin="app", digest="e")))
    item = PluginSpec(id="base", version="1", digest="f")
    assert digests_of(batch) == {"d", "e"}
    assert digests_of(FileSet(plugins=(item,))) == {"f"}
    assert digests_of(Reload(plugin="base")) == set()
    assert keys_of(batch) == ()
    assert keys_of(PutRoute(route=ROUTE)) == keys_of(DeleteRoute(name="r")) == ("routes/r",)
    assert keys_of(PutUpstream(upstream=UPSTREAM)) == keys_of(DeleteUpstream(name="u"))
    assert keys_of(Reload(plugin="base")) == ("plugins/base",)
