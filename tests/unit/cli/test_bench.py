"""`plugbay bench` against servers that behave, and that do not."""

from __future__ import annotations

import contextlib
import itertools
import socketserver
import threading

import pytest

from plugbay.cli._bench import Tally
from plugbay.cli._client import Unreachable
from plugbay.cli._costs import costs_since, read_costs
from plugbay.kernel import Invalid

GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@contextlib.contextmanager
def server(*answers: bytes):
    """Answer each request with the next of these bytes, round and round; empty: close.

    Threads and blocking sockets: an asyncio server that closes while a connection waits to be
    accepted leaves that connection's transport unclosed.
    """
    following = itertools.cycle(answers)

    class Client(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                while self.request_head() and (answer := next(following)):
                    self.wfile.write(answer)

        def request_head(self) -> bool:
            while line := self.rfile.readline():
                if line == b"\r\n":
                    return True
            return False

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Client) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}"
        finally:
            listening.shutdown()
            thread.join()


def bench(cli, url: str, *more: str):
    """Run it; for longer if nobody had a core meanwhile: each answer of the server is wanted."""
    for seconds in (0.5, 5, 50):
        outcome = cli("bench", f"{url}/a?b=c", "-c", "2", "-d", seconds, "-o", "json", *more)
        if outcome.code == 3 or outcome.json["requests"] + outcome.json["lost"] >= 4:
            break
    return outcome


def test_all_is_well(cli):
    with server(GOOD) as url:
        outcome = bench(cli, url)
    assert outcome.code == 0
    found = outcome.json
    assert found["statuses"] == {"200": found["requests"]}
    assert found["requests"] > 0
    assert found["lost"] == 0
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]


@pytest.mark.parametrize(
    ("bad", "statuses", "lost"),
    [
        (b"HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n", {"200", "503"}, False),
        (b"", {"200"}, True),
        (b"nonsense\r\n\r\n", {"200"}, True),
    ],
)
def test_one_bad_answer_is_a_failure(cli, bad, statuses, lost):
    with server(GOOD, bad) as url:
        outcome = bench(cli, url)
    assert outcome.code == 1
    assert set(outcome.json["statuses"]) == statuses
    assert bool(outcome.json["lost"]) == lost


def test_an_answer_that_ends_its_connection(cli):
    with server(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n") as url:
        outcome = bench(cli, url)
    assert (outcome.code, outcome.json["lost"]) == (0, 0)


def test_an_answer_that_never_comes_is_lost(cli, monkeypatch):
    monkeypatch.setattr("plugbay.cli._bench.PATIENCE", 0.1)
    with server(GOOD, b"HTTP/1.1 200 OK\r\n") as url:
        outcome = bench(cli, url)
    assert (outcome.code, "TimeoutError" in outcome.json["failures"]) == (1, True)


def test_nobody_answers(cli):
    with server(GOOD) as url:
        pass
    outcome = bench(cli, url)
    assert outcome.code == 3
    assert "nothing answers at 127.0.0.1" in outcome.err


@pytest.mark.parametrize("url", ["https://h/", "h:80", "http:///x"])
def test_what_cannot_be_asked_for(cli, url):
    outcome = cli("bench", url)
    assert (outcome.code, "expected http://host:port/path" in outcome.err) == (1, True)


def page(calls: int, seconds: float) -> bytes:
    labels = 'phase="pre-routing",plugin="hello",version="1"'
    text = (
        f'plugbay_plugin_duration_seconds_bucket{{{labels},le="+Inf"}} {calls}\n'
        f"plugbay_plugin_duration_seconds_sum{{{labels}}} {seconds}\n"
        f"plugbay_plugin_duration_seconds_count{{{labels}}} {calls}\n"
    ).encode()
    return b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(text) + text


def test_it_tells_what_plugins_cost(cli):
    with server(page(10, 0.001), page(1010, 0.006)) as metrics, server(GOOD) as url:
        outcome = bench(cli, url, "--metrics", f"{metrics}/metrics")
    assert outcome.json["microseconds_in_plugins"] == {"hello": 5.0}


def test_a_plugin_that_was_not_called_costs_nothing():
    assert costs_since({"a": (1.0, 5.0)}, {"a": (1.0, 5.0), "b": (0.5, 1.0)}) == {"b": 500000.0}


def test_metrics_that_are_not_there():
    with pytest.raises(Invalid):
        read_costs("file:///etc/passwd")
    with pytest.raises(Unreachable):
        read_costs("http://127.0.0.1:9/metrics")


def test_quantiles():
    tally = Tally(seconds=[0.001, 0.002, 0.003, 0.004])
    assert (tally.quantile(0.5), tally.quantile(1.0)) == (3.0, 4.0)
    assert Tally().quantile(0.5) == 0.0
