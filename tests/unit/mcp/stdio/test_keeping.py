"""`plugbay monitor --restart`: a server that dies is started again, and its client is told."""

import itertools
import json
import re
import time

from unit.mcp.conftest import PATIENCE, request

SERVER_DOWN = 50301


def initialize(client):
    client.send(
        request("i", "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={}),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    )
    assert client.line()["id"] == "i"


def answered(client, patience=PATIENCE):
    """Call until the server is there again; what came meanwhile."""
    seen, until = [], time.monotonic() + patience
    for id in itertools.count(1000):
        assert time.monotonic() < until, "it never came back"
        client.call(id)
        while (line := client.line()).get("id") != id:
            seen.append(line)
        if "error" not in line:
            return line, seen
        assert line["error"]["code"] == SERVER_DOWN
        assert line["error"]["data"]["plugbay"]["retry_after_ms"] >= 0
        time.sleep(0.02)
    raise AssertionError


def test_calls_in_flight_are_answered_and_the_session_goes_on(monitor):
    client = monitor("--restart", "-v")
    initialize(client)
    client.call(1, "hold")
    client.call("two", "hold")
    client.call(3, "exit", code=7)
    lost = {line["id"]: line["error"] for line in (client.line() for _ in range(3))}
    assert set(lost) == {1, "two", 3}
    assert all(
        e["code"] == SERVER_DOWN and e["data"]["plugbay"]["exit"] == 7 for e in lost.values()
    )
    line, seen = answered(client)
    assert line["result"]["isError"] is False
    # The handshake was replayed to the fresh process, and the client heard nothing of it.
    assert not [one for one in seen if "plugbay-replay" in json.dumps(one)]
    assert client.end() == 0
    errors = client.errors()
    assert re.search("restarted.*restarts=1", errors)


def test_the_signal_that_killed_it_is_told_and_it_comes_back(monitor):
    client = monitor("--restart")
    client.call(1, "kill")
    told = client.line()["error"]["data"]["plugbay"]
    assert told["exit"] == 137
    assert 0 <= told["retry_after_ms"] <= 500
    answered(client)
    assert client.end() == 0


def test_the_breaker_opens_after_crashes_in_a_row(monitor):
    client = monitor("--restart", server=("--", "sh", "-c", "sleep 0.05; exit 9"))
    for id in itertools.count():
        client.call(id)
        error = client.line()["error"]
        assert error["code"] == SERVER_DOWN
        if error["data"]["plugbay"]["retry_after_ms"] > 20_000:
            break
        time.sleep(0.02)
    client.process.terminate()
    assert client.process.wait(PATIENCE) == 143
    assert "breaker-opened" in client.errors()
