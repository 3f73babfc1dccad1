"""kill -9: of a worker, of the supervisor, of both, and in the middle of what they do.

    python -m bench.kill

Traffic goes on all the time, by strict clients. What was acknowledged must be there afterwards;
only requests inside a worker that was killed may fail, and their number is printed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench._acknowledged import (
    Acknowledged,
    Writer,
    install,
    interrupted,
    no_longer_slow,
    slow_change,
)
from bench._gateway import Gateway, wait_for
from bench._live import Traffic, get
from bench._rig import describe, table

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS = 8


@dataclass(slots=True)
class Outcome:
    """What a kill did. `lost` are requests that failed; `bound` how many of them may."""

    name: str
    requests: int = 0
    lost: int = 0
    bound: int = 0
    back_ms: float = 0.0
    notes: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])

    def must(self, holds: bool, what: str) -> None:
        """Note a problem unless it holds."""
        if not holds:
            self.problems.append(what)


def under_load(
    gateway: Gateway, name: str, bound: int, act: Callable[[Outcome, Traffic], None]
) -> Outcome:
    """Do `act` while clients ask; at most `bound` of their requests may fail."""
    outcome = Outcome(name, bound=bound)
    kept = Acknowledged.of(gateway)
    with Traffic(gateway.address, clients=CLIENTS) as traffic:
        act(outcome, traffic)
        traffic.more(4 * CLIENTS)
    outcome.requests, outcome.lost = traffic.seen.requests, len(traffic.seen.failures)
    if outcome.lost > bound:
        outcome.problems += traffic.seen.failures
    outcome.problems += kept.missing(gateway)
    return outcome


def kill_worker(gateway: Gateway) -> Outcome:
    """Kill one worker; clients that come meanwhile wait in the accept queue."""

    def act(outcome: Outcome, traffic: Traffic) -> None:
        before = gateway.worker_pids()
        waiting = Waiting(gateway, 4)
        kill(before[0])
        began = time.monotonic()
        waiting.start()
        fresh = wait_for("the successor", lambda: successor(gateway, before))
        outcome.back_ms = (time.monotonic() - began) * 1000
        outcome.must(len(fresh) == len(before), f"workers before {before}, after {fresh}")
        outcome.must(set(before[1:]) <= set(fresh), "another worker was replaced too")
        outcome.must(waiting.statuses() == [200] * 4, f"who waited got {waiting.found}")
        outcome.notes.append(f"{len(waiting.found)} connections waited in the queue: all answered")

    return under_load(gateway, "a worker", CLIENTS, act)


def kill_supervisor(gateway: Gateway) -> Outcome:
    """Kill the supervisor; traffic goes on without one; the next one adopts the workers."""

    def act(outcome: Outcome, traffic: Traffic) -> None:
        before = gateway.worker_pids()
        with Writer(gateway, outcome.name) as writer:
            end_supervisor(gateway)
        alone = traffic.seen.requests
        traffic.more(20 * CLIENTS)
        outcome.must(get(gateway.address).status == 200, "no new connection without a supervisor")
        served = traffic.seen.requests - alone
        began = time.monotonic()
        gateway.restart()
        outcome.back_ms = (time.monotonic() - began) * 1000
        adopted(gateway, outcome, before)
        outcome.problems += writer.missing()
        written = f"{len(writer.digests)} uploads and {len(writer.operations)} changes acknowledged"
        outcome.notes.append(f"{written} until then; {served} requests without a supervisor")

    return under_load(gateway, "the supervisor", 0, act)


def kill_supervisor_in_operation(gateway: Gateway) -> Outcome:
    """Kill the supervisor when a change was accepted and its plugin is still starting."""

    def act(outcome: Outcome, traffic: Traffic) -> None:
        before, id = gateway.worker_pids(), slow_change(gateway)
        end_supervisor(gateway)
        began = time.monotonic()
        gateway.restart()
        operation = gateway.operation(id)
        outcome.back_ms = (time.monotonic() - began) * 1000
        outcome.must(operation["state"] == "succeeded", f"{operation['state']}: the operation")
        adopted(gateway, outcome, before)
        dropped = operation["receipt"]["totals"]["dropped"]
        outcome.must(dropped == 0, f"{dropped} requests dropped")
        outcome.notes.append(f"the operation {operation['state']}, dropped {dropped}")
        no_longer_slow(gateway)

    return under_load(gateway, "the supervisor, in an operation", 0, act)


def kill_supervisor_in_upload(gateway: Gateway) -> Outcome:
    """Kill the supervisor when half of an upload has come: nothing of it may be left."""

    def act(outcome: Outcome, traffic: Traffic) -> None:
        before = gateway.worker_pids()
        with interrupted(gateway):
            end_supervisor(gateway)
        began = time.monotonic()
        gateway.restart()
        outcome.back_ms = (time.monotonic() - began) * 1000
        left = [path.name for path in (gateway.data / "tmp").iterdir()]
        outcome.must(not left, f"left behind: {left}")
        adopted(gateway, outcome, before)
        outcome.notes.append("nothing left of the half upload")

    return under_load(gateway, "the supervisor, in an upload", 0, act)


def kill_both(gateway: Gateway) -> Outcome:
    """Kill the supervisor and every worker, as a power cut does; then start again."""
    outcome, kept = Outcome("the supervisor and all workers"), Acknowledged.of(gateway)
    pids = gateway.worker_pids()
    end_supervisor(gateway)
    for pid in pids:
        kill(pid)
    began = time.monotonic()
    gateway.restart()
    answer = get(gateway.address)
    outcome.back_ms = (time.monotonic() - began) * 1000
    outcome.requests = 1
    outcome.must(answer.status == 200, f"status {answer.status}")
    outcome.must(not set(pids) & set(gateway.worker_pids()), "a worker rose from the dead")
    outcome.problems += kept.missing(gateway)
    outcome.notes.append(f"answered by version {answer.headers.get('x-stamp')}")
    return outcome


class Waiting:
    """Clients that connect while no worker accepts, each in a thread of its own."""

    def __init__(self, gateway: Gateway, count: int) -> None:
        self.found: list[int] = []
        ask = lambda: self.found.append(get(gateway.address).status)  # noqa: E731 - one line
        self._threads = [threading.Thread(target=ask, daemon=True) for _ in range(count)]

    def start(self) -> None:
        """Connect and ask."""
        for thread in self._threads:
            thread.start()

    def statuses(self) -> list[int]:
        """Wait for the answers."""
        for thread in self._threads:
            thread.join(120)
        return self.found


def kill(pid: int) -> None:
    """End a process at once, without a chance to tidy up."""
    os.kill(pid, signal.SIGKILL)


def end_supervisor(gateway: Gateway) -> None:
    """Kill the supervisor and wait until it is gone."""
    gateway.process.kill()
    gateway.process.wait(120)


def successor(gateway: Gateway, before: list[int]) -> list[int]:
    """Return the workers' ids when the one that was killed has a successor that is ready."""
    found = gateway.client.call("GET", "/workers").json
    pids = [worker["pid"] for worker in found["items"]]
    whole = len(pids) == len(before) and before[0] not in pids and found["converged"]
    return pids if whole else []


def adopted(gateway: Gateway, outcome: Outcome, before: list[int]) -> None:
    """Check that the very same workers go on, under the new supervisor."""
    found: list[int] = []

    def whole() -> bool:
        found[:] = gateway.worker_pids()
        return len(found) >= len(before)

    wait_for("the workers are connected", whole)
    outcome.must(sorted(found) == sorted(before), f"workers before {before}, after {found}")


KILLS = (
    kill_worker,
    kill_supervisor,
    kill_supervisor_in_operation,
    kill_supervisor_in_upload,
    kill_both,
)


def run(workers: int) -> list[Outcome]:
    """Run every case on one gateway."""
    with Gateway(workers=workers) as gateway:
        install(gateway)
        return [case(gateway) for case in KILLS]


def main() -> int:
    """Print the table."""
    describe("kill -9 under load", f"{CLIENTS} keep-alive clients ask all the time")
    outcomes = [(workers, outcome) for workers in (1, 2) for outcome in run(workers)]
    table(
        ("workers", "killed", "requests", "lost", "back after ms", "notes"),
        [
            (workers, one.name, one.requests, one.lost, f"{one.back_ms:.0f}", "; ".join(one.notes))
            for workers, one in outcomes
        ],
    )
    problems = [f"{one.name}: {text}" for _, one in outcomes for text in one.problems]
    print("\n".join(problems) or "All that was acknowledged is there; nothing else was lost.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
