"""What `/plugins` tells: fields, words and statuses of HKP."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from plugbay.admin._hkp._times import go_duration, moment
from plugbay.observability import HostMetrics, Registry

if TYPE_CHECKING:
    from .client import Hkp


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
    assert datetime.fromisoformat(one["last_check"]).tzinfo is not None
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
