"""HKP management API: how long its answers take, idle and while a plugin drains.

    python -m bench.hkp --plugins 50 --requests 500

Over a real socket, one keep-alive connection, every answer checked. A stream that outlasts the
measurement keeps the reload draining; clients keep the worker busy meanwhile.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench._gateway import Gateway
from bench._live import Traffic
from bench._rig import describe, percentile, table
from bench.admin import Stream, install

if TYPE_CHECKING:
    from collections.abc import Callable


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


@dataclass(slots=True)
class Outcome:
    """Milliseconds of each answer by what was asked, and what was wrong."""

    times: dict[str, list[float]] = field(default_factory=dict[str, "list[float]"])
    draining: int = 0
    rounds: int = 0
    problems: list[str] = field(default_factory=list[str])

    def time(self, what: str, requests: int, ask: Callable[[], tuple[int, Any]]) -> Any:
        """Ask again and again; return the last answer."""
        said: Any = None
        for _ in range(requests):
            began = time.perf_counter()
            status, said = ask()
            self.times.setdefault(what, []).append((time.perf_counter() - began) * 1000)
            if status != 200:
                self.problems.append(f"{what}: {status} {said}")
        return said


def measure(gateway: Gateway, client: Client, requests: int, outcome: Outcome) -> None:
    """Measure idle, then while a reload drains, five times."""
    one = "/many-00"
    asked: dict[str, Callable[[], tuple[int, Any]]] = {
        "status": lambda: client.ask("GET", "/status"),
        "health": lambda: client.ask("GET", "/health"),
        "one health": lambda: client.ask("GET", f"{one}/health"),
        "validate": lambda: client.ask("POST", f"{one}/config/validate", {}),
    }
    for what, ask in asked.items():
        outcome.time(f"{what}, idle", requests, ask)
    for _ in range(5):
        stream = Stream(gateway, 5.0)
        with Traffic(gateway.address, clients=2, pause=0.05) as traffic:
            stream.start()
            traffic.more(4)
            outcome.time("reload", 1, lambda: client.ask("POST", f"{one}/reload"))
            for what in ("status", "one health"):
                outcome.time(f"{what}, draining", requests // 5, asked[what])
            said = outcome.time("status, draining", 1, asked["status"])
            outcome.rounds += 1
            outcome.draining += said["draining"]["requests"] > 0
            stream.join()
        outcome.problems += traffic.seen.failures
        if not stream.whole:
            outcome.problems.append("the stream was cut")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plugins", type=int, default=50)
    parser.add_argument("--requests", type=int, default=500)
    options = parser.parse_args()
    describe("HKP API", "The client, the load, the upstream and the gateway share the cores.")
    outcome = Outcome()
    with Gateway(workers=1) as gateway:
        install(gateway, options.plugins)
        client = Client(gateway)
        measure(gateway, client, options.requests, outcome)
        client.close()
    rows = [
        (what, len(times), *(f"{percentile(times, share):.2f}" for share in (50, 99)), max(times))
        for what, times in outcome.times.items()
    ]
    table(
        ("what", "requests", "p50 ms", "p99 ms", "worst ms"),
        [(*row[:4], f"{row[4]:.2f}") for row in rows],
    )
    print(f"still draining at the last request: {outcome.draining} of {outcome.rounds}")
    print("aims: status p99 < 10 ms also while a plugin drains, health and validate < 5 ms")
    print("\n".join(outcome.problems[:5]))
    return int(bool(outcome.problems))


if __name__ == "__main__":
    sys.exit(main())
