"""`/plugins`: fields, words and statuses of HKP, on the real admin app with two workers."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, cast

import pytest
from litestar.utils.sync import is_async_callable

from plugbay.admin._hkp._times import go_duration, moment
from plugbay.observability import HostMetrics, Registry

from ..conftest import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpx import Response

    from ..conftest import World

API = "/plugins"


class Hkp:
    """A client of the API."""

    def __init__(self, world: World, *scopes: str) -> None:
        self.world, self.headers = world, world.token(*scopes)

    def ask(self, method: str, path: str, **parts: Any) -> Response:
        headers = {**self.headers, **parts.pop("headers", {})}
        return self.world.client.request(method, f"{API}{path}", headers=headers, **parts)

    def get(self, path: str) -> dict[str, Any]:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/json")
        said: dict[str, Any] = answer.json()
        at = datetime.datetime.fromisoformat(said["timestamp"])
        assert at.timestamp() == pytest.approx(self.world.clock.now, abs=0.001)
        return said

    def do(self, method: str, path: str, **parts: Any) -> dict[str, Any]:
        answer = self.ask(method, path, **parts)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        assert set(said) >= {"plugin", "status", "message", "timestamp"}
        return said

    def refused(self, method: str, path: str, status: int, **parts: Any) -> dict[str, Any]:
        answer = self.ask(method, path, **parts)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        said: dict[str, Any] = answer.json()
        assert said["status"] == "error"
        assert said["message"]
        assert said["request_id"] == answer.headers["x-request-id"]
        return said


@pytest.fixture
def hkp(world: World) -> Hkp:
    world.run("hello", config={"greeting": "hi"}, watch=0.0)
    return Hkp(world)


def test_the_status_has_hkps_fields(hkp: Hkp) -> None:
    hkp.world.run("other")
    hkp.world.change("POST", "/plugins/other/disable")
    said = hkp.get("/status")

    assert set(said) == {"plugin_system", "health_status", "uptime", "timestamp", "draining"}
    assert said["plugin_system"] == {
        "enabled": True,
        "total_plugins": 2,
        "active_plugins": 1,
        "plugin_dir": "",
        "active_requests": 0,
        "plugin_states": {"hello": "active", "other": "disabled"},
    }
    health = said["health_status"]
    assert (health["healthy_count"], health["unhealthy_count"]) == (1, 0)
    assert (health["total_count"], health["overall_status"]) == (1, "healthy")
    assert (said["draining"]["timeout"], said["draining"]["poll_interval"]) == ("1m0s", "0s")
    assert said["uptime"] == "0s"
    hkp.world.clock.now += 3725
    later = hkp.get("/status")
    assert later["uptime"] == "1h2m5s"
    assert later["timestamp"] != said["timestamp"]


def test_the_list_and_the_health_have_hkps_fields(hkp: Hkp) -> None:
    listed = hkp.get("/list")
    assert listed["total_count"] == 1
    assert listed["plugins"] == [
        {
            "name": "hello",
            "version": "1.0.0",
            "description": listed["plugins"][0]["description"],
            "status": "active",
            "health": "healthy",
        }
    ]
    health = hkp.get("/health")
    assert health["overall_status"] == "healthy"
    one = health["plugins"]["hello"]
    assert (one["status"], one["state"], one["accepting_requests"]) == ("healthy", "active", True)
    assert one["checks"] == {
        "handlers_registered": True,
        "handler_count": 1,
        "background_tasks": 0,
        "active_requests": 0,
        "workers": 2,
        "workers_serving": 2,
    }
    assert datetime.datetime.fromisoformat(one["last_check"]).tzinfo is not None
    assert hkp.get("/hello/health") == {"plugin": "hello", "timestamp": health["timestamp"], **one}


def test_one_plugin_in_detail(hkp: Hkp) -> None:
    said = hkp.get("/hello/status")
    assert (said["plugin"], said["name"], said["version"]) == ("hello", "hello", "1.0.0")
    assert (said["state"], said["health"], said["enabled"]) == ("active", "healthy", True)
    assert (said["generation"], said["config_version"]) == (1, 1)
    assert said["handlers"] == {
        "registered": True,
        "count": 1,
        "names": ["on_operation"],
        "routes": [],
    }
    assert [part["worker"] for part in said["workers"]] == ["w0", "w1"]
    assert {part["pid"] for part in said["workers"]} == {1001, 1002}
    assert said["resource_use"]["generations"] == 2
    assert said["drain_timeout"] == "1m0s"
    metrics = hkp.get("/hello/metrics")
    assert metrics["metrics"] == said["resource_use"]
    assert metrics["series"] == []


def test_background_tasks_are_named_and_counted(hkp: Hkp) -> None:
    hkp.do("PUT", "/hello/config", json={"greeting": "spawn"})
    said = hkp.get("/hello/status")
    assert said["background_tasks"] == ["chores", "chores"]
    assert hkp.get("/hello/health")["checks"]["background_tasks"] == 2
    hkp.do("POST", "/hello/stop")
    assert hkp.get("/hello/status")["background_tasks"] == []


@pytest.mark.parametrize("path", ["/hello/reload", "/reload?plugin=hello"])
def test_a_reload_is_answered_when_every_worker_has_it(hkp: Hkp, path: str) -> None:
    said = hkp.do("POST", path)
    assert (said["plugin"], said["status"]) == ("hello", "success")
    assert said["message"] == "Plugin reloaded successfully"
    assert {part["generation"] for part in hkp.get("/hello/status")["workers"]} == {2}
    operation = hkp.world.ask("GET", f"/operations/{said['operation']}").json()
    assert operation["kind"] == "reload"
    record = hkp.world.audited[-1]
    assert (record["act"], record["actor"], record["status"]) == (
        "reloadManagedPlugin" if path.startswith("/hello") else "reloadNamedPlugin",
        "admin",
        200,
    )
    assert (record["target"], record["operation"]) == ("plugins/hello", said["operation"])


def test_stop_and_start(hkp: Hkp) -> None:
    assert hkp.do("POST", "/hello/start")["message"] == "Plugin is already started"
    assert hkp.do("POST", "/hello/stop")["status"] == "success"
    said = hkp.get("/hello/health")
    assert (said["state"], said["accepting_requests"]) == ("disabled", False)
    assert (said["status"], said["reason"]) == ("unhealthy", "it is disabled")
    assert hkp.get("/health") | {"timestamp": ""} == {
        "overall_status": "healthy",
        "plugins": {},
        "timestamp": "",
    }
    assert hkp.do("POST", "/hello/stop")["message"] == "Plugin is already stopped"
    assert "disabled" in hkp.refused("POST", "/hello/reload", 409)["message"]
    assert hkp.do("POST", "/hello/start")["message"] == "Plugin started successfully"
    assert hkp.get("/hello/status")["state"] == "active"


@pytest.mark.parametrize("path", ["/hello/config", "/config?plugin=hello"])
def test_the_configuration_is_read_and_changed(hkp: Hkp, path: str) -> None:
    said = hkp.get(path)
    assert (said["plugin"], said["config"], said["version"]) == ("hello", {"greeting": "hi"}, 1)
    assert said["config_schema"] == SCHEMA
    assert [one["version"] for one in said["versions"]] == [1]

    said["config"]["greeting"] = "hello"
    done = hkp.do("PUT", path, json=said)
    assert (done["status"], done["config_version"]) == ("success", 2)
    done = hkp.do("PUT", path, json={"greeting": "hey"})
    assert (done["message"], done["config_version"]) == ("Configuration updated successfully", 3)
    done = hkp.do("PUT", path, json={"config": {"greeting": "hey"}, "comment": "again"})
    assert (done["status"], done["message"]) == ("warning", "Configuration is unchanged")
    assert hkp.get(path)["config"] == {"greeting": "hey"}


def test_if_match_is_heeded_where_it_is_sent(hkp: Hkp) -> None:
    answer = hkp.ask("GET", "/hello/config")
    stale = {"if-match": answer.headers["etag"]}
    done = hkp.ask("PUT", "/hello/config", json={"greeting": "a"}, headers=stale)
    assert (done.status_code, done.headers["etag"] != answer.headers["etag"]) == (200, True)
    hkp.refused("PUT", "/hello/config", 412, json={"greeting": "b"}, headers=stale)
    hkp.do("PUT", "/hello/config", json={"greeting": "b"}, headers={"if-match": "*"})


def test_a_configuration_is_validated_before_it_is_applied(hkp: Hkp) -> None:
    said = hkp.do("POST", "/hello/config/validate", json={"greeting": "hey"})
    assert (said["valid"], said["status"]) == (True, "success")
    assert said["differences"] == [
        {"pointer": "/greeting", "op": "replace", "old": "hi", "new": "hey"}
    ]
    for method, path in (("POST", "/hello/config/validate"), ("PUT", "/hello/config")):
        wrong = hkp.refused(method, path, 400, json={"greeting": 1, "colour": "red"})
        assert wrong["plugin"] == "hello"
        assert {error["pointer"] for error in wrong["errors"]} == {"/greeting", "/colour"}
    for content in (b"{", b"[]", b"\xff", b"[" * 10_000):
        hkp.refused("PUT", "/hello/config", 400, content=content)
    assert hkp.get("/hello/config")["version"] == 1


def test_a_plugin_that_will_not_start_leaves_the_old_one(hkp: Hkp) -> None:
    wrong = hkp.refused("PUT", "/hello/config", 500, json={"fail": "start"})
    assert "it would not start" in wrong["message"]
    said = hkp.get("/hello/status")
    assert (said["state"], said["generation"]) == ("active", 1)
    assert hkp.get("/hello/config")["config"] == {"greeting": "hi"}


def test_rollback_brings_instance_and_configuration_back(hkp: Hkp) -> None:
    assert "no earlier" in hkp.refused("POST", "/hello/config/rollback", 404)["message"]
    hkp.do("PUT", "/hello/config", json={"greeting": "two"})
    hkp.do("PUT", "/hello/config", json={"greeting": "three"})
    generation = hkp.get("/hello/status")["generation"]
    done = hkp.do("POST", "/hello/config/rollback", json={"version": 1})
    assert done["message"] == "Configuration rolled back to version 1"
    assert hkp.get("/hello/config")["config"] == {"greeting": "hi"}
    assert hkp.get("/hello/status")["generation"] == generation + 1
    hkp.do("POST", "/hello/config/rollback")
    assert hkp.get("/hello/config")["config"] == {"greeting": "three"}
    hkp.refused("POST", "/hello/config/rollback", 404, json={"version": 99})
    hkp.refused("POST", "/hello/config/rollback", 400, json={"version": "one"})
    hkp.refused("POST", "/hello/config/rollback", 400, json={"versoin": 1})


def test_what_is_not_there_is_not_found(hkp: Hkp) -> None:
    for path in ("status", "health", "metrics", "config"):
        said = hkp.refused("GET", f"/nobody/{path}", 404)
        assert said["plugin"] == "nobody"
    for act in ("reload", "start", "stop", "config/rollback"):
        hkp.refused("POST", f"/nobody/{act}", 404)
    hkp.refused("PUT", "/nobody/config", 404, json={})
    hkp.refused("POST", "/nobody/config/validate", 404, json={})
    hkp.refused("POST", "/reload?plugin=nobody", 404)
    for method, path in (("POST", "/reload"), ("GET", "/config"), ("PUT", "/config")):
        assert "?plugin=" in hkp.refused(method, path, 400)["message"]
    hkp.refused("GET", "/dependencies?format=png", 400)
    wrong = hkp.ask("DELETE", "/hello/config")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, PUT")
    assert hkp.ask("GET", "/reload?plugin=hello").status_code == 405


def test_who_may(hkp: Hkp) -> None:
    reader = Hkp(hkp.world, "read")
    reader.get("/status")
    assert reader.do("POST", "/hello/config/validate", json={})["valid"] is True
    for path in ("/hello/reload", "/hello/stop", "/hello/start", "/reload?plugin=hello"):
        assert "plugins:write" in reader.refused("POST", path, 403)["message"]
    reader.refused("PUT", "/hello/config", 403, json={})
    assert hkp.world.audited[-1]["status"] == 403
    nobody = hkp.world.client.get(f"{API}/status")
    assert nobody.status_code == 401
    assert nobody.headers["content-type"] == "application/problem+json"
    assert "ratelimit" in hkp.ask("GET", "/status").headers


def test_a_failed_plugin_is_told_and_started_again(hkp: Hkp) -> None:
    cluster = hkp.world.cluster

    async def fail() -> None:
        for name in cluster.names:
            await cluster.agent(name).caretaker.blame("hello", "it did harm", quarantine=True)

    portal = hkp.world.client.blocking_portal
    assert portal is not None
    portal.call(fail)
    said = hkp.get("/hello/health")
    assert (said["status"], said["state"]) == ("unhealthy", "failed")
    assert "it did harm" in said["reason"]
    assert hkp.get("/status")["health_status"]["overall_status"] == "degraded"
    assert "it did harm" in hkp.get("/hello/status")["quarantined"]
    assert hkp.do("POST", "/hello/start")["message"] == "Plugin started successfully"
    assert hkp.get("/hello/health")["status"] == "healthy"


def manifest(id: str, needs: str) -> str:
    return (
        f'id = "{id}"\nversion = "1.0.0"\napi = 1\nruntime = "python"\n'
        f'entry = "plugbay_{id}:Main"\nprovides = ["request-filter"]\n[requires]\n{needs}\n'
    )


def test_the_dependencies_as_json_and_as_text(hkp: Hkp) -> None:
    hkp.world.upload(id="guard", manifest=manifest("guard", 'hello = ">=1,<2"'))
    hkp.world.run("guard")
    said = hkp.get("/dependencies")
    assert [(node["id"], node["state"]) for node in said["nodes"]] == [
        ("guard", "active"),
        ("hello", "active"),
    ]
    assert said["edges"] == [
        {"source": "guard", "target": "hello", "requires": ">=1,<2", "satisfied": True}
    ]
    assert (said["order"], said["cycles"], said["problems"]) == (["hello", "guard"], [], [])

    dot = hkp.ask("GET", "/dependencies?format=dot")
    assert dot.headers["content-type"] == "text/plain; charset=utf-8"
    assert dot.text.splitlines() == [
        "digraph plugins {",
        "  rankdir=LR;",
        "  node [shape=box];",
        '  "guard" [label="guard 1.0.0 (active)"];',
        '  "hello" [label="hello 1.0.0 (active)"];',
        '  "guard" -> "hello" [label=">=1,<2"];',
        "}",
    ]
    mermaid = hkp.ask("GET", "/dependencies?format=mermaid").text.splitlines()
    assert mermaid == [
        "flowchart LR",
        '  n0["guard 1.0.0 (active)"]',
        '  n1["hello 1.0.0 (active)"]',
        '  n0 -->|"#62;=1,#60;2"| n1',
    ]

    assert "guard" in hkp.refused("POST", "/hello/stop", 409)["message"]
    assert hkp.do("POST", "/hello/stop?force=true")["status"] == "success"
    assert hkp.get("/guard/status")["enabled"] is False


def test_durations_and_times_are_written_as_go_does() -> None:
    said = [go_duration(seconds) for seconds in (0, 0.5, 1.5, 60, 61.25, 3600, 90061)]
    assert said == ["0s", "500ms", "1.5s", "1m0s", "1m1.25s", "1h0m0s", "25h1m1s"]
    assert moment(1_000_000.25) == "1970-01-12T13:46:40.250Z"


def test_metrics_have_what_the_plugin_declares_itself(hkp: Hkp) -> None:
    registry = Registry()
    HostMetrics(registry, "hello", "1.0.0").counter("hits_total", "Hits.", ("who",)).inc(3, who="a")
    registry.plugin("hello", "1.0.0", "pre-routing").answered = 4
    hkp.world.metrics.update("worker-0", registry.snapshot(), incarnation="a")
    said = hkp.get("/hello/metrics")
    (hits,) = said["own"]
    assert (hits["name"], hits["exported_as"]) == ("hits_total", "plugbay_plugin_hello_hits_total")
    assert hits["series"] == [{"labels": {"version": "1.0.0", "who": "a"}, "value": 3.0}]
    assert said["metrics"]["totals"]["answered"] == 4
    assert hkp.get("/hello/status")["resource_use"]["totals"] == said["metrics"]["totals"]
    plain = hkp.world.ask("GET", "/plugins/hello/metrics").json()
    assert (plain["own"], plain["totals"]) == (said["own"], said["metrics"]["totals"])
    assert hkp.world.ask("GET", "/plugins/nobody/metrics").status_code == 404


def test_a_trial_is_no_act_and_waits_for_no_record(hkp: Hkp) -> None:
    before = len(hkp.world.audited)
    hkp.do("POST", "/hello/config/validate", json={"greeting": "ho"})
    hkp.refused("POST", "/hello/config/validate", 400, json={"greeting": 1})
    assert len(hkp.world.audited) == before
    nosy = Hkp(hkp.world, "self")
    assert nosy.ask("POST", "/hello/config/validate", json={}).status_code == 403
    assert hkp.world.audited[-1]["act"] == "validatePluginConfig"


def test_no_request_is_handed_to_a_thread(hkp: Hkp) -> None:
    routes: Any = hkp.world.routes
    guards = cast("list[Callable[..., object]]", routes.guards)
    assert guards
    assert all(is_async_callable(guard) for guard in guards)
