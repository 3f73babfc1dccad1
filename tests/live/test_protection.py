"""The protection plugins on a whole gateway of two workers, and what they tell each other."""

from __future__ import annotations

import os
import signal
import socket
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench._gateway import Gateway, wait_for
from bench._live import Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

PLUGINS = Path(__file__).parents[2] / "plugins" / "protection"
LIMIT, WINDOW = 200, 200.0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Two workers behind a trusted proxy: the tests are it."""
    with Gateway(workers=2, settings='[limits]\ntrusted_proxies = ["127.0.0.0/8"]\n') as made:
        feed = tmp_path_factory.mktemp("feeds") / "bad.txt"
        feed.write_text("203.0.113.66\n2001:db8:bad::/48\n")
        for name, config in (
            ("threat", {"feeds": [{"name": "bad", "path": str(feed)}]}),
            ("antiabuse", {"limit": LIMIT, "window": WINDOW}),
            ("tarpit", {"interval": 0.2, "seconds": 60.0}),
        ):
            made.push(PLUGINS / name)
            config = {"mode": "enforce", **config}
            operation = made.put(name, version="1.0.0", config=config, watch=0.0)
            assert operation["state"] != "failed", operation["error"]
        yield made


def ask(gateway: Gateway, client: str, path: str = "/json") -> tuple[int, dict[str, str]]:
    """One request over a connection of its own, so that either worker may get it."""
    connection = HTTPConnection(gateway.address, timeout=100)
    try:
        connection.request("GET", path, headers={"x-forwarded-for": client})
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def exhaust(gateway: Gateway, client: str) -> None:
    """Ask until it is refused."""
    wait_for("a refusal", lambda: ask(gateway, client)[0] == 429, every=0)


def operate(
    gateway: Gateway, plugin: str, name: str, content: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Ask an operation of a plugin; return each worker's answer."""
    path, method = f"/plugins/{plugin}/operations/{name}", "GET" if content is None else "POST"
    answer: dict[str, Any] = gateway.client.call(method, path, content).json
    assert answer["failed"] == {}
    assert len(answer["workers"]) == 2
    workers: dict[str, Any] = answer["workers"]
    return workers


def test_a_limit_is_one_limit_for_all_workers(gateway: Gateway) -> None:
    began = time.monotonic()
    statuses = [ask(gateway, "198.51.100.1")[0] for _ in range(LIMIT * 2)]
    seconds = time.monotonic() - began
    exact = min(LIMIT * 2, LIMIT + seconds * LIMIT / WINDOW)
    passed = statuses.count(200)
    assert set(statuses) == {200, 429}
    assert abs(passed - exact) <= LIMIT * 0.01 + 2  # and the two requests that time itself costs
    answers = operate(gateway, "antiabuse", "check?ip=198.51.100.1")
    assert all(answer["ahead"] > 0 for answer in answers.values())
    operate(gateway, "antiabuse", "lift", {"ip": "198.51.100.1"})
    assert ask(gateway, "198.51.100.1")[0] == 200


def test_a_ban_is_in_every_worker_within_a_second_and_is_lifted_by_one_call(
    gateway: Gateway,
) -> None:
    """The tarpit's honeypot tells antiabuse nothing; an administrator's ban reaches all."""
    operate(gateway, "antiabuse", "ban", {"ip": "198.51.100.2", "seconds": 3600})
    assert {ask(gateway, "198.51.100.2")[0] for _ in range(20)} == {403}
    operate(gateway, "threat", "lift", {"ip": "198.51.100.2"})  # any of them lifts for all

    def free() -> bool:
        return {ask(gateway, "198.51.100.2")[0] for _ in range(8)} == {200}

    wait_for("the lift is everywhere", free)


def test_what_one_worker_sees_the_other_knows(gateway: Gateway) -> None:
    """A client that one worker catches at a honeypot is known to both."""
    caught = socket.create_connection(address(gateway))
    caught.sendall(b"GET /.env HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 198.51.100.3\r\n\r\n")
    head = caught.recv(4096)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")

    def known() -> bool:
        answers = operate(gateway, "tarpit", "check?ip=198.51.100.3")
        return all(answer["held"] for answer in answers.values())

    wait_for("both know", known)
    assert b"1\r\n \r\n" in head + caught.recv(4096)
    held = operate(gateway, "tarpit", "status")
    assert sum(answer["held"] for answer in held.values()) == 1
    operate(gateway, "tarpit", "lift", {"ip": "198.51.100.3"})
    caught.settimeout(100)
    while caught.recv(4096):
        pass  # up to its end: it was let go
    caught.close()
    assert ask(gateway, "198.51.100.3")[0] == 200


def address(gateway: Gateway) -> tuple[str, int]:
    host, _, port = gateway.address.rpartition(":")
    return host, int(port)


def test_every_worker_refuses_whom_a_feed_names(gateway: Gateway) -> None:
    def ready() -> bool:
        found = operate(gateway, "threat", "status").values()
        return all(answer["threat_indicators"] == 2 for answer in found)

    wait_for("both workers have the index", ready)
    found = operate(gateway, "threat", "status").values()
    assert [answer["leads"] for answer in found].count(True) == 1
    for client in ("203.0.113.66", "2001:db8:bad:1::5"):
        assert {ask(gateway, client)[0] for _ in range(8)} == {403}
    assert ask(gateway, "203.0.113.67")[0] == 200
    assert operate(gateway, "threat", "check?ip=203.0.113.66")["worker-0"]["blocked"]


def test_reloads_under_load_keep_the_state_and_drop_nothing(gateway: Gateway) -> None:
    operate(gateway, "antiabuse", "ban", {"ip": "198.51.100.4", "seconds": 3600})
    exhaust(gateway, "198.51.100.5")
    with Traffic(gateway.address, clients=4) as traffic:
        for _ in range(3):
            for name in ("threat", "antiabuse", "tarpit"):
                operation = gateway.change("POST", f"/plugins/{name}/reload")
                ended = gateway.operation(operation["id"])
                assert ended["state"] == "succeeded", ended["error"]
                assert ended["receipt"]["totals"]["dropped"] == 0
        traffic.more(16)
    assert traffic.seen.failures == []
    assert {ask(gateway, "198.51.100.4")[0] for _ in range(8)} == {403}
    statuses = [ask(gateway, "198.51.100.5")[0] for _ in range(LIMIT)]
    assert statuses.count(429) > LIMIT // 3  # an empty count would let all of them pass
    assert {ask(gateway, "203.0.113.66")[0] for _ in range(8)} == {403}


def test_a_worker_that_is_killed_leaves_counts_and_bans_to_the_next(gateway: Gateway) -> None:
    operate(gateway, "antiabuse", "ban", {"ip": "198.51.100.6", "seconds": 3600})
    exhaust(gateway, "198.51.100.7")
    before = gateway.worker_pids()
    os.kill(before[0], signal.SIGKILL)

    def replaced() -> bool:
        found = gateway.client.call("GET", "/workers").json["items"]
        new = [one["pid"] for one in found if one["converged"]]
        return len(new) == 2 and before[0] not in new

    wait_for("another worker", replaced)
    statuses = [ask(gateway, "198.51.100.7")[0] for _ in range(LIMIT)]
    assert statuses.count(429) > LIMIT // 3  # the count is in memory that outlives the worker

    def banned() -> bool:
        return {ask(gateway, "198.51.100.6")[0] for _ in range(8)} == {403}

    wait_for("the new worker knows the ban", banned)
