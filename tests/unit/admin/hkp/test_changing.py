"""What `/plugins` changes: plugins that run, their configuration, and who may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from litestar.utils.sync import is_async_callable

from ..conftest import SCHEMA
from .client import API, Hkp

if TYPE_CHECKING:
    from collections.abc import Callable


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
