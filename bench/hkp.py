"""HKP management API: how long its answers take, idle and while a plugin drains.

    python -m bench.hkp --plugins 20 --requests 2000

Over a real socket, one keep-alive connection, by a client of its own process that costs next to
nothing (`bench._stopwatch`); the load is in this one. The kinds of requests take turns, so that
a noise of the machine meets all alike. A stream that outlasts each round keeps the reload
draining; clients keep the worker busy meanwhile.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from contextlib import closing
from typing import Any

from bench import _stopwatch
from bench._gateway import Gateway
from bench._live import Traffic
from bench._rig import describe, percentile, table
from bench._stream import Stream
from bench.admin import install

ROUNDS = 5
WARMING = "warming up"
ONE = "/plugins/many-00"
ASKED: dict[str, tuple[str, str, object]] = {
    "status": ("GET", "/plugins/status", None),
    "health": ("GET", "/plugins/health", None),
    "one status": ("GET", f"{ONE}/status", None),
    "one health": ("GET", f"{ONE}/health", None),
    "one metrics": ("GET", f"{ONE}/metrics", None),
    "validate": ("POST", f"{ONE}/config/validate", {}),
}
AIMS = {"status": 10.0, "one health": 5.0, "validate": 5.0}
"""Milliseconds at the 99th percentile, in both cases."""

Times = dict[tuple[str, str], list[float]]
"""Milliseconds of each answer by case and by what was asked."""


class Client:
    """One keep-alive connection to the management API."""

    def __init__(self, gateway: Gateway) -> None:
        self._connection = http.client.HTTPConnection(str(gateway.facts["admin"]), timeout=120)
        self._fields = {"authorization": f"Bearer {gateway.client.token}"}

    def ask(self, method: str, path: str, content: object = None) -> tuple[int, Any]:
        """Send a request; return the status and what was answered."""
        body = None if content is None else json.dumps(content).encode()
        self._connection.request(method, f"/plugins{path}", body, self._fields)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Meter:
    """Times a gateway's answers; `problems` are what was wrong with some."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway, self.times = gateway, Times()
        self.problems: list[str] = []
        address, token = str(gateway.facts["admin"]), gateway.client.token
        self._address = address
        self._requests = [_stopwatch.request(address, token, *asked) for asked in ASKED.values()]

    def measure(self, case: str, count: int) -> dict[str, Any]:
        """Send each kind of request `count` times; return the last answers."""
        found = _stopwatch.measure(self._address, self._requests, count)
        for what, times in zip(ASKED, found.times, strict=True):
            self.times.setdefault((case, what), []).extend(times)
        self.problems += found.problems
        return {what: json.loads(body) for what, body in zip(ASKED, found.bodies, strict=True)}

    def drain(self, count: int) -> bool:
        """Measure while a reload drains; return whether it still did at the end."""
        stream = Stream(self.gateway)
        stream.start()
        with Traffic(self.gateway.address, clients=2, pause=0.05) as traffic:
            traffic.more(4)
            with closing(Client(self.gateway)) as client:
                status, said = client.ask("POST", "/many-00/reload")
            if status != 200:
                self.problems.append(f"reload: {status} {said}")
            last = self.measure("draining", count)
            stream.release()
        self.problems += traffic.seen.failures
        if not stream.whole:
            self.problems.append("the stream was cut")
        return bool(last["status"]["draining"]["requests"] > 0)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plugins", type=int, default=20)
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args()
    describe("HKP API", "The client, the load, the upstream and the gateway share the cores.")
    with Gateway(workers=1) as gateway:
        install(gateway, options.plugins)
        meter = Meter(gateway)
        meter.measure(WARMING, 50)
        meter.measure("idle", options.requests)
        each = max(1, options.requests // ROUNDS)
        draining = sum(meter.drain(each) for _ in range(ROUNDS))
    meter.times = {key: times for key, times in meter.times.items() if key[0] != WARMING}
    rows = [
        (what, case, len(times), percentile(times, 50), percentile(times, 99), max(times))
        for (case, what), times in meter.times.items()
    ]
    table(("what", "while", "requests", "p50 ms", "p99 ms", "worst ms"), rows)
    print(f"still draining at the last request: {draining} of {ROUNDS}")
    for what, case, _, _, p99, _ in rows:
        if what in AIMS:
            verdict = "met" if p99 < AIMS[what] else "MISSED"
            print(f"{what}, {case}: p99 {p99:.2f} ms, aim < {AIMS[what]:g}: {verdict}")
    print("\n".join(meter.problems[:5]))
    return int(bool(meter.problems))


if __name__ == "__main__":
    sys.exit(main())
