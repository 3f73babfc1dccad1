"""The HKP management API on a whole gateway: what it tells is what the workers do."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway, wait_for, write_plugin
from bench._live import Traffic, get
from bench._stream import Stream
from bench.hkp import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

SOURCE = """
import asyncio
from dataclasses import dataclass

from plugbay.sdk import Plugin, Request, RequestFilter, Response, ResponseFilter

@dataclass(frozen=True, slots=True)
class Config:
    stamp: str = "one"

class Main(Plugin[Config], RequestFilter, ResponseFilter):
    async def start(self) -> None:
        self.host.spawn(asyncio.Event().wait(), name="chores")

    def on_request(self, request: Request) -> Response | None:
        return None

    def on_response(self, request: Request, response: Response) -> Response | None:
        response.headers.set("x-stamp", self.config.stamp)
        return None
"""
MANIFEST = 'summary = "stamps"\nprovides = ["request-filter", "response-filter"]\n'


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway(workers=2) as gateway:
        folder = gateway.folder / "stamp"
        gateway.push(write_plugin(folder, "stamp", "1.0.0", SOURCE, MANIFEST))
        gateway.put("stamp", version="1.0.0", watch=0.0)
        yield gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with closing(Client(gateway)) as client:
        yield client


def done(answer: tuple[int, Any]) -> dict[str, Any]:
    status, said = answer
    assert (status, said["status"]) == (200, "success"), said
    return dict(said)


def test_the_status_is_what_the_workers_do(gateway: Gateway, client: Client) -> None:
    status, said = client.ask("GET", "/stamp/status")
    assert status == 200
    assert said["description"] == "stamps"
    assert set(said["handlers"]["names"]) == {"on_request", "on_response"}
    assert said["background_tasks"] == ["chores", "chores"]
    assert {part["pid"] for part in said["workers"]} == set(gateway.worker_pids())
    system = client.ask("GET", "/status")[1]["plugin_system"]
    assert system["plugin_dir"] == str(gateway.data / "unpacked")
    assert (gateway.data / "unpacked").is_dir()


def test_a_reload_answers_while_the_old_generation_drains(gateway: Gateway, client: Client) -> None:
    stream = Stream(gateway)
    stream.start()

    def inside() -> bool:
        return bool(client.ask("GET", "/stamp/status")[1]["active_requests"])

    wait_for("the stream is seen inside the plugin", inside)
    with Traffic(gateway.address, clients=2) as traffic:
        before = client.ask("GET", "/stamp/status")[1]["generation"]
        done(client.ask("POST", "/stamp/reload"))
        traffic.more(4)

    def only_the_stream_is_left() -> bool:
        # The traffic's last answers may still be in an old generation as the reload is told.
        draining = client.ask("GET", "/status")[1]["draining"]
        return (draining["generations"], draining["requests"]) == (1, 1)

    wait_for("the stream alone keeps its generation", only_the_stream_is_left)
    said = client.ask("GET", "/stamp/status")[1]
    assert {part["generation"] for part in said["workers"]} == {before + 1}
    assert said["resource_use"]["generations"] == 3
    assert said["accepting_requests"] is True
    assert not traffic.seen.failures
    stream.release()
    assert stream.whole

    def drained() -> bool:
        return bool(client.ask("GET", "/status")[1]["draining"]["generations"] == 0)

    wait_for("the old generation has gone", drained)


def test_configuration_reaches_the_traffic_and_goes_back(gateway: Gateway, client: Client) -> None:
    done(client.ask("PUT", "/stamp/config", {"stamp": "two"}))
    assert get(gateway.address).headers["x-stamp"] == "two"
    done(client.ask("POST", "/stamp/config/rollback"))
    assert get(gateway.address).headers["x-stamp"] == "one"
    status, said = client.ask("PUT", "/config?plugin=stamp", {"stamp": 3})
    assert (status, said["status"], said["errors"][0]["pointer"]) == (400, "error", "/stamp")
    assert get(gateway.address).headers["x-stamp"] == "one"


def test_stop_and_start_and_the_data_plane_knows_nothing_of_it(
    gateway: Gateway, client: Client
) -> None:
    done(client.ask("POST", "/stamp/stop"))
    assert "x-stamp" not in get(gateway.address).headers
    assert client.ask("POST", "/reload?plugin=stamp")[0] == 409
    done(client.ask("POST", "/stamp/start"))
    assert get(gateway.address).headers["x-stamp"] == "one"
    # The traffic's own port leads to the upstream, which has no such page.
    assert get(gateway.address, "/plugins/status").status == 404


TYRANT = """
from plugbay.sdk import Event, EventHandler, Plugin, Request, RequestFilter, Response

class Main(Plugin[None], RequestFilter, EventHandler):
    topics = ("plugin.*",)

    async def start(self) -> None:
        self.refused = self.host.metrics.counter("refused_total", "Refused.")
        self.heard = self.host.metrics.counter("heard_total", "Heard.", ("topic", "about"))
        self.host.spawn(self.fail(), name="fail")

    async def fail(self) -> None:
        raise RuntimeError("this task fails")

    def on_request(self, request: Request) -> Response | None:
        self.refused.inc()
        self.host.events.publish("security.threat.detected", identity=request.client)
        return Response.problem(403, "Forbidden")

    def on_event(self, event: Event) -> None:
        self.heard.inc(topic=event.topic, about=str(event.data.get("plugin")))
"""
TYRANTS = 'provides = ["request-filter", "event-handler"]\n[order]\nphase = "pre-routing"\n'


@pytest.fixture(scope="module")
def tyrant(gateway: Gateway) -> Iterator[str]:
    """A plugin that lets nobody in, and listens to what becomes of plugins."""
    gateway.push(write_plugin(gateway.folder / "tyrant", "tyrant", "1.0.0", TYRANT, TYRANTS))
    gateway.put("tyrant", version="1.0.0", watch=0.0)
    yield "tyrant"
    gateway.change("POST", "/plugins/tyrant/disable")


def own(client: Client, plugin: str, name: str) -> dict[str, float]:
    """The series of one of a plugin's own metrics, by the values of their labels."""
    said = client.ask("GET", f"/{plugin}/metrics")[1]
    return {
        " ".join(one["labels"].values()): one["value"]
        for metric in said["own"]
        if metric["name"] == name
        for one in metric["series"]
    }


def test_a_plugin_that_refuses_everybody_locks_no_administrator_out(
    gateway: Gateway, client: Client, tyrant: str
) -> None:
    host, _, port = str(gateway.facts["admin"]).rpartition(":")
    door = {"name": "back-door", "targets": [{"address": f"{host}:{port}"}]}
    gateway.change("PUT", "/upstreams/back-door", door)
    way = {"name": "back-door", "path": "/plugins", "upstream": "back-door", "priority": 10}
    gateway.change("PUT", "/routes/back-door", way)
    assert get(gateway.address).status == 403
    # By way of the traffic the API is traffic; its own listener has no plugin before it.
    assert get(gateway.address, "/plugins/status").status == 403
    assert client.ask("GET", "/status")[0] == 200
    wait_for("its refusals are counted", lambda: own(client, tyrant, "refused_total"))

    def totals() -> dict[str, Any]:
        return dict(client.ask("GET", f"/{tyrant}/status")[1]["resource_use"]["totals"])

    # Each worker tells its own once a second.
    wait_for("both are in the totals", lambda: totals()["answered"] >= 2)
    wait_for("so are the tasks of both", lambda: totals()["task_failures"] == 2)
    assert totals()["memory_bytes"] is None
    assert totals()["worker_memory_bytes"] > 1 << 20
    done(client.ask("POST", f"/{tyrant}/stop"))
    assert get(gateway.address).status == 200
    behind = get(gateway.address, "/plugins/status")
    assert (behind.status, b"Host header" in behind.body) == (400, True)  # the API itself answers
    done(client.ask("POST", f"/{tyrant}/start"))


def test_events_reach_plugins_and_those_who_follow(
    gateway: Gateway, client: Client, tyrant: str
) -> None:
    following = http.client.HTTPConnection(str(gateway.facts["admin"]), timeout=100)
    fields = {"authorization": f"Bearer {gateway.client.token}"}
    with closing(following):
        path = "/admin/api/v1/events?topics=security.threat,security,plugin.config.updated"
        following.request("GET", path, headers=fields)
        with following.getresponse() as stream:
            assert get(gateway.address).status == 403
            done(client.ask("PUT", "/stamp/config", {"stamp": "three"}))
            said: dict[str, dict[str, Any]] = {}
            while len(said) < 2:  # a worker's events and the supervisor's come in any order
                line = stream.readline()
                assert line, said
                if line.startswith(b"data:"):
                    told = json.loads(line[5:])
                    said[told["topic"]] = told
    assert {topic: one["source"] for topic, one in said.items()} == {
        "security.threat.detected": tyrant,
        "plugin.config.updated": "gateway",
    }
    assert said["plugin.config.updated"]["data"]["plugin"] == "stamp"

    def heard() -> bool:
        found = own(client, tyrant, "heard_total")
        return found.get("1.0.0 plugin.config.updated stamp", 0) >= 2  # in both workers

    wait_for("the plugin has heard of it", heard)

    def counted() -> dict[str, Any] | None:
        found = client.ask("GET", f"/{tyrant}/metrics")[1]["metrics"]["totals"]["events"]
        return dict(found) if found["published"] >= 1 and found["delivered"] >= 2 else None

    assert wait_for("the gateway has counted them", counted)["dropped"] == 0
