"""The HKP management API on a whole gateway: what it tells is what the workers do."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway, wait_for, write_plugin
from bench._live import Traffic, get
from bench.admin import Stream
from bench.hkp import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

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
    stream = Stream(gateway, 3.0)
    stream.start()

    def inside() -> bool:
        return bool(client.ask("GET", "/stamp/status")[1]["active_requests"])

    wait_for("the stream is seen inside the plugin", inside, seconds=20)
    with Traffic(gateway.address, clients=2) as traffic:
        before = client.ask("GET", "/stamp/status")[1]["generation"]
        done(client.ask("POST", "/stamp/reload"))
        said = client.ask("GET", "/stamp/status")[1]
        traffic.more(4)
    assert {part["generation"] for part in said["workers"]} == {before + 1}
    assert said["resource_use"]["generations"] == 3
    assert said["accepting_requests"] is True
    draining = client.ask("GET", "/status")[1]["draining"]
    assert draining["requests"] == 1
    assert not traffic.seen.failures
    stream.join()
    assert stream.whole

    def drained() -> bool:
        return bool(client.ask("GET", "/status")[1]["draining"]["generations"] == 0)

    wait_for("the old generation has gone", drained, seconds=20)


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
