"""Admin: how long the status of 50 plugins takes while a reload with a drain is in progress.

    python -m bench.admin --plugins 50 --requests 500

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

from bench._gateway import Gateway, write_plugin
from bench._live import Traffic
from bench._rig import describe, percentile, table
from bench._stream import Stream

SOURCE = """
from plugbay.sdk import Plugin, Request, Response, ResponseFilter

class Main(Plugin[None], ResponseFilter):
    def on_response(self, request: Request, response: Response) -> Response | None:
        response.headers.set("x-{id}", "seen")
        return None
"""


@dataclass(slots=True)
class Outcome:
    """Times of GET /plugins in milliseconds, and what was wrong."""

    idle: list[float] = field(default_factory=list[float])
    reloading: list[float] = field(default_factory=list[float])
    reloads: int = 0
    problems: list[str] = field(default_factory=list[str])


def install(gateway: Gateway, count: int) -> None:
    """Enable `count` plugins."""
    for number in range(count):
        id = f"many-{number:02}"
        source = SOURCE.replace("{id}", id)
        folder = gateway.folder / id
        gateway.push(write_plugin(folder, id, "1.0.0", source, 'provides = ["response-filter"]\n'))
        gateway.put(id, version="1.0.0", watch=0.0)


def ask(gateway: Gateway, plugins: int, requests: int, outcome: Outcome) -> list[float]:
    """Ask for the status of all plugins again and again; return how long each answer took."""
    connection = http.client.HTTPConnection(str(gateway.facts["admin"]), timeout=60)
    fields = {"authorization": f"Bearer {gateway.client.token}"}
    times: list[float] = []
    for _ in range(requests):
        began = time.perf_counter()
        connection.request("GET", "/admin/api/v1/plugins?limit=500", headers=fields)
        response = connection.getresponse()
        body = response.read()
        times.append((time.perf_counter() - began) * 1000)
        if response.status != 200 or len(json.loads(body)["items"]) != plugins:
            outcome.problems.append(f"{response.status}: {body[:200]!r}")
    connection.close()
    return times


def run(gateway: Gateway, plugins: int, requests: int, rounds: int = 5) -> Outcome:
    """Measure without and with reloads in progress."""
    outcome = Outcome(idle=ask(gateway, plugins, requests, Outcome()))
    for number in range(rounds):
        stream = Stream(gateway)
        stream.start()
        with Traffic(gateway.address, clients=2, pause=0.05) as traffic:
            traffic.more(4)
            operation = gateway.change("POST", f"/plugins/many-{number % plugins:02}/reload")
            outcome.reloading += ask(gateway, plugins, requests // rounds, outcome)
            state = gateway.client.call("GET", f"/operations/{operation['id']}").json["state"]
            outcome.reloads += state == "draining"
            stream.release()
        ended = gateway.operation(operation["id"])
        outcome.problems += traffic.seen.failures
        if ended["state"] != "succeeded" or ended["receipt"]["totals"]["dropped"]:
            outcome.problems.append(f"{ended['state']}: {ended['error']}")
        if not stream.whole:
            outcome.problems.append("the stream was cut")
    return outcome


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plugins", type=int, default=50)
    parser.add_argument("--requests", type=int, default=500)
    options = parser.parse_args()
    describe("Admin", "The client, the load, the upstream and the gateway share the cores.")
    with Gateway(workers=1) as gateway:
        install(gateway, options.plugins)
        outcome = run(gateway, options.plugins, options.requests)
    rows = [
        (f"GET /plugins, {options.plugins} plugins, {name}", len(times), *_percentiles(times))
        for name, times in (
            ("nothing else", outcome.idle),
            ("a reload in progress", outcome.reloading),
        )
    ]
    table(("what", "requests", "p50 ms", "p99 ms", "worst ms"), rows)
    print(f"reloads still draining when the last request was answered: {outcome.reloads} of 5")
    print("aim: p99 < 10 ms while a reload is in progress")
    print("\n".join(outcome.problems[:5]))
    return int(bool(outcome.problems))


def _percentiles(times: list[float]) -> tuple[str, str, str]:
    return (
        f"{percentile(times, 50):.2f}",
        f"{percentile(times, 99):.2f}",
        f"{max(times):.2f}",
    )


if __name__ == "__main__":
    sys.exit(main())
