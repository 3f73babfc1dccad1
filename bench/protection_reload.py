"""Reloads of the seven protection plugins, one after another, under steady load.

    bench/run protection_reload          # or: python -m bench.protection_reload --rounds 100

Each reload makes a new generation in every worker. What the plugins hold (bans, reports, lifts,
traps, counts, a session, the model of behaviour) is put there before and looked for afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import h11

from bench._gateway import Gateway, wait_for
from bench._protected import ACCOUNT, SETTINGS, SEVEN, compiled, operate, protected
from bench._rig import describe, percentile, table
from bench._traffic import Answer, Connection

if TYPE_CHECKING:
    from collections.abc import Mapping

SLOW: Final = 0.1
"""Seconds that no request shall take."""
CLIENTS: Final = 500
QUIET: Final = 20
"""Requests of each client before the first reload."""
BANNED, REPORTED, TRAPPED, LIFTED = (f"203.0.113.{n}" for n in (1, 2, 3, 4))
COUNTED: Final = "203.0.113.5"
NONE: Final[Mapping[str, str]] = {}


@dataclass(slots=True)
class Outcome:
    """What the reloads and the clients saw; times in seconds."""

    reloads: dict[str, list[float]] = field(default_factory=dict[str, "list[float]"])
    failed: list[str] = field(default_factory=list[str])
    quiet: list[float] = field(default_factory=list[float])
    """How long requests took before the first reload, on the same machine."""
    dropped: int = 0
    cancelled: int = 0
    requests: list[float] = field(default_factory=list[float])
    wrong: list[str] = field(default_factory=list[str])
    lost: list[str] = field(default_factory=list[str])
    """State that was there before the reloads and not after them."""

    @property
    def count(self) -> int:
        """How many reloads there were."""
        return sum(map(len, self.reloads.values()))


class Load:
    """Clients that ask again and again, each request for another of many addresses."""

    def __init__(self, address: str, outcome: Outcome, *, clients: int, pause: float) -> None:
        self._address, self._outcome = address, outcome
        self._clients, self._pause = clients, pause
        self._next = itertools.count()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for("the first answers", lambda: len(self._outcome.requests) >= self._clients)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._ask())

    async def _ask(self) -> None:
        connection, outcome = Connection(self._address), self._outcome
        while not self._stop.is_set():
            number = next(self._next)
            client = f"198.18.{number % CLIENTS >> 8}.{number % CLIENTS & 255}"
            target = "/pks/stats" if number % 10 == 0 else f"/json?item={number % 97}"
            began = time.perf_counter()
            try:
                answer = await connection.get(target, ("x-forwarded-for", client))
                outcome.requests.append(time.perf_counter() - began)
                if answer.status != 200 or not _whole(answer):
                    outcome.wrong.append(f"{target}: {answer.status} {answer.body[-40:]!r}")
            except (OSError, h11.ProtocolError) as error:
                outcome.wrong.append(f"{target}: {type(error).__name__}: {error}")
                await connection.close()
            await asyncio.sleep(self._pause)
        await connection.close()


def _whole(answer: Answer) -> bool:
    length = answer.headers.get("content-length")
    return bool(answer.body) and (length is None or int(length) == len(answer.body))


def run(gateway: Gateway, rounds: int, *, clients: int = 16, pause: float = 0.05) -> Outcome:
    """Reload each of the seven `rounds` times under load, and look what they still know."""
    outcome = Outcome({name: [] for name in SEVEN})
    session = _remember(gateway)
    before = _samples(gateway)
    with Load(gateway.address, outcome, clients=clients, pause=pause):
        wait_for("some quiet", lambda: len(outcome.requests) >= QUIET * clients)
        outcome.quiet = list(outcome.requests)
        del outcome.requests[: len(outcome.quiet)]
        for _ in range(rounds):
            for name in SEVEN:
                _reload(gateway, name, outcome)
        wait_for("every model is there", lambda: _samples(gateway) > 0)
    outcome.lost = list(_forgotten(gateway, session))
    if _samples(gateway) < before:
        outcome.lost.append("ratelimit-ml: what the model has learned")
    return outcome


def _reload(gateway: Gateway, name: str, outcome: Outcome) -> None:
    began = time.perf_counter()
    operation = gateway.change("POST", f"/plugins/{name}/reload")
    outcome.reloads[name].append(time.perf_counter() - began)
    ended = gateway.operation(operation["id"])
    totals: dict[str, int] = ended["receipt"]["totals"] if ended["receipt"] else {}
    outcome.dropped += totals.get("dropped", 0)
    outcome.cancelled += totals.get("cancelled", 0)
    if ended["state"] != "succeeded":
        outcome.failed.append(f"{name}: {ended['state']} {ended['error']}")


# --- what shall outlive reloads -------------------------------------------------------------------


def _remember(gateway: Gateway) -> str:
    """Let each plugin hold something; return the cookie of somebody who has signed in."""
    operate(gateway, "antiabuse", "ban", {"ip": BANNED, "seconds": 36_000})
    operate(gateway, "threat", "report", {"ip": REPORTED, "seconds": 36_000})
    operate(gateway, "tarpit", "trap", {"ip": TRAPPED, "seconds": 36_000})
    operate(gateway, "mlabuse", "lift", {"ip": LIFTED})  # every plugin hears of it
    name, password = ACCOUNT
    operate(gateway, "zerotrust", "create", {"user": name, "password": password})
    status, fields = ask(gateway, "/ztna/login", body={"username": name, "password": password})
    if status != 200:
        raise RuntimeError(f"the sign-in was answered {status}")
    return fields["set-cookie"].partition(";")[0]


def _forgotten(gateway: Gateway, session: str) -> list[str]:
    """Return what is not held any more."""
    held = {
        "antiabuse: a ban": _all(gateway, "antiabuse", f"check?ip={BANNED}", "banned"),
        "threat: a report": _all(gateway, "threat", f"check?ip={REPORTED}", "blocked"),
        "tarpit: a trapped client": _all(gateway, "tarpit", f"check?ip={TRAPPED}", "held"),
        "zerotrust: a session": ask(gateway, "/account", cookie=session)[0] != 401,
        "zerotrust: who needs one": ask(gateway, "/account")[0] == 401,
        "antiabuse: the ban's effect": ask(gateway, "/json", BANNED)[0] == 403,
    }
    for name in ("threat", "geo", "ratelimit-ml", "mlabuse"):
        held[f"{name}: a lift"] = _all(gateway, name, f"check?ip={LIFTED}", "lifted")
    return [what for what, there in held.items() if not there]


def _all(gateway: Gateway, plugin: str, name: str, what: str) -> bool:
    return all(answer[what] for answer in operate(gateway, plugin, name).values())


def _samples(gateway: Gateway) -> int:
    return min(int(one["samples"]) for one in operate(gateway, "ratelimit-ml", "status").values())


def ask(
    gateway: Gateway,
    path: str,
    client: str = COUNTED,
    *,
    cookie: str = "",
    body: Mapping[str, Any] = NONE,
) -> tuple[int, dict[str, str]]:
    """Send one request of a client; return status and header fields."""
    fields = {"x-forwarded-for": client, "cookie": cookie, "content-type": "application/json"}
    connection = http.client.HTTPConnection(gateway.address, timeout=30)
    try:
        content = json.dumps(body) if body else None
        connection.request("POST" if body else "GET", path, content, fields)
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


# --- the figures ----------------------------------------------------------------------------------


def report(outcome: Outcome) -> int:
    """Print them; return 1 if a reload or a request has failed, or if something was lost."""
    rows: list[list[object]] = []
    every = list(itertools.chain.from_iterable(outcome.reloads.values()))
    for name, times in (*outcome.reloads.items(), ("all", every)):
        bad = sum(one.startswith(f"{name}:") or name == "all" for one in outcome.failed)
        rows.append([name, len(times), 100 * (1 - bad / len(times)), *_milliseconds(times)])
    table(("plugin", "reloads", "succeeded %", "median ms", "p99 ms", "most ms"), rows)
    print(f"requests {len(outcome.requests)}: failed or wrong {len(outcome.wrong)}, ", end="")
    print(f"dropped {outcome.dropped}, cancelled {outcome.cancelled}")
    rows = [
        [name, len(times), *_milliseconds(times), 100 * sum(t > SLOW for t in times) / len(times)]
        for name, times in (("before", outcome.quiet), ("during reloads", outcome.requests))
    ]
    table(("requests", "count", "median ms", "p99 ms", "most ms", "over 100 ms, %"), rows)
    print(f"state lost: {', '.join(outcome.lost) or 'none'}")
    for problem in (*outcome.failed[:5], *outcome.wrong[:5]):
        print("  ", problem)
    return int(bool(outcome.failed or outcome.wrong or outcome.dropped or outcome.lost))


def _milliseconds(times: list[float]) -> list[float]:
    return [1000 * percentile(times, percent) for percent in (50, 99, 100)]


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between requests")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    compiled()
    describe(
        "Reloads of the seven protection plugins",
        f"{options.workers} workers, {options.clients} clients, each waits {options.pause} s",
    )
    with Gateway(workers=options.workers, settings=SETTINGS) as gateway:
        protected(gateway)
        try:
            outcome = run(gateway, options.rounds, clients=options.clients, pause=options.pause)
        except TimeoutError:
            sys.stderr.write(gateway.log.read_text()[-4000:])
            raise
    return report(outcome)


if __name__ == "__main__":
    sys.exit(main())
