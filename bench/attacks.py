"""Attacks on a gateway that all seven protection plugins guard, with benign traffic in the mix.

    bench/run attacks                    # or: python -m bench.attacks --payloads FILE

Each attack is replayed over real connections; `stopped` are requests that were refused, limited
or held, so that the upstream never saw them. What benign clients of a real access log got in the
meantime is printed below. Whoever asks here is the trusted proxy, which says for whom.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench._gateway import Gateway, Upstream
from bench._live import metrics
from bench._protected import ACCOUNT, PROTECTION, SESSION, compiled, operate, protected
from bench._rig import describe, table
from bench._shots import (
    FEW,
    LONDON,
    Shot,
    benign,
    hopping,
    indicated,
    payloads,
    probes,
    rotating,
    stuffing,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SETTINGS: Final = '[limits]\ntrusted_proxies = ["127.0.0.0/8"]\nhead_timeout = 2.0\n'
PAYLOADS: Final = PROTECTION / "mlabuse" / "tests" / "data" / "httpparams-test.csv"
PATIENCE: Final = 20.0
AT_ONCE: Final = 8


@dataclass(slots=True)
class Result:
    """What came of the requests of one attack, or of the benign clients."""

    answers: Counter[str] = field(default_factory=Counter[str])

    @property
    def sent(self) -> int:
        """How many there were."""
        return self.answers.total()

    @property
    def stopped(self) -> int:
        """How many the upstream never saw."""
        return self.sent - self.answers["200"]

    @property
    def share(self) -> float:
        """How many of them were stopped, in percent."""
        return 100 * self.stopped / max(1, self.sent)


async def send(address: str, shot: Shot) -> str:
    """Send a request over a connection of its own; return the status, or `held`, or `closed`."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    fields = [("host", "www.example"), ("x-forwarded-for", shot.client), *shot.fields]
    if shot.body:
        fields += [("content-type", "application/json"), ("content-length", str(len(shot.body)))]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    method = "POST" if shot.body else "GET"
    try:
        said = f"{method} {shot.target} HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace")
        writer.write(said + shot.body)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        return "closed"
    finally:
        writer.close()
    status = answer[9:12].decode()
    # Only the tarpit says a page here; the upstream, and every refusal, says JSON.
    return "held" if status == "200" and b"text/html" in answer else status


async def volley(address: str, shots: Iterable[Shot], at_once: int = AT_ONCE) -> Result:
    """Send requests, a few at once, and count the answers."""
    result, left = Result(), iter(shots)

    async def shoot() -> None:
        for shot in left:
            result.answers[await send(address, shot)] += 1

    await asyncio.gather(*(shoot() for _ in range(at_once)))
    return result


async def loris(address: str, count: int) -> Result:
    """Connections whose heads never end; `closed` are those that the gateway has ended."""
    result, (host, _, port) = Result(), address.rpartition(":")

    async def drip() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nx-a: ")
        ended = asyncio.ensure_future(reader.read())
        for _ in range(int(PATIENCE)):
            done, _ = await asyncio.wait([ended], timeout=0.5)
            if done:
                break
            writer.write(b"b")
        result.answers["closed" if ended.done() else "200"] += 1
        ended.cancel()
        writer.close()

    await asyncio.gather(*(drip() for _ in range(count)))
    return result


async def people(address: str, shots: Sequence[Shot], over: asyncio.Event) -> Result:
    """Ask as people do, until it is over and everything was asked once."""
    result = Result()
    for number, shot in enumerate(itertools.cycle(shots)):
        if over.is_set() and number >= len(shots):
            return result
        if number < len(shots):  # again and again would be no benign client any more
            result.answers[await send(address, shot)] += 1
        await asyncio.sleep(0.005)
    return result


# --- all of it ------------------------------------------------------------------------------------


async def attack(address: str, path: Path, scale: float = 1.0) -> dict[str, Result]:
    """Run each attack while people ask; return what came of each, and of `benign`."""
    found: dict[str, Result] = {}
    over = asyncio.Event()
    shots = benign()
    asking = asyncio.create_task(people(address, shots[: max(20, int(len(shots) * scale))], over))

    def many(count: int) -> int:
        return max(10, int(count * scale))

    owner = (("cookie", f"{SESSION}=5e551on"),)
    await volley(address, [Shot(LONDON, "/", owner)], 1)
    found["rotating X-Forwarded-For"] = await volley(address, rotating(max(900, many(3000))))
    found["credential stuffing"] = await volley(address, stuffing(many(200)))
    found["scanner paths"] = await volley(address, probes(), 1)
    for kind, attacks in payloads(path).items():
        name = "harmless parameters" if kind == "norm" else f"payloads: {kind}"
        found[name] = await volley(address, attacks[: many(len(attacks))])
    found["geo-hopping session"] = await volley(address, hopping(many(100)))
    found["its owner, meanwhile"] = await volley(address, [Shot(LONDON, "/", owner)] * FEW, 1)
    found["indicators of the feed"] = await volley(address, indicated(many(2000)))
    found["slow loris"] = await loris(address, many(100))
    over.set()
    found["benign clients"] = await asking
    return found


def prepare(gateway: Gateway) -> None:
    """Enable the plugins; one user is there to be guessed."""
    protected(gateway)
    operate(gateway, "zerotrust", "create", {"user": ACCOUNT[0], "password": ACCOUNT[1]})


BENIGN: Final = ("benign clients", "its owner, meanwhile", "harmless parameters")


def verdicts(gateway: Gateway) -> list[list[object]]:
    """Return what the plugins have decided, by reason."""
    rows: list[list[object]] = []
    for name, value in metrics(gateway).items():
        if "_verdicts_total{" in name and value:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
            rows.append([labels["plugin"], labels["action"], labels["reason"], int(value)])
    return sorted(rows, key=str)


def report(found: dict[str, Result]) -> int:
    """Print the shares; return 1 if an attack got through, or a benign client did not."""
    rows = [
        [name, one.sent, one.stopped, f"{one.share:.1f} %", _said(one)]
        for name, one in found.items()
    ]
    table(("requests of", "sent", "stopped", "share", "answers"), rows)
    attacks = [one for name, one in found.items() if name not in BENIGN]
    mild = [found[name] for name in BENIGN if name in found]
    passed = sum(one.sent - one.stopped for one in mild)
    print(f"attacks that stopped less than half: {sum(one.share < 50 for one in attacks)}")
    print(f"benign requests that passed: {passed} of {sum(one.sent for one in mild)}")
    return int(any(one.share < 50 for one in attacks) or any(one.share > 1 for one in mild))


def _said(result: Result) -> str:
    return ", ".join(f"{count} {what}" for what, count in result.answers.most_common())


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payloads", type=Path, default=PAYLOADS, help="CSV of HttpParamsDataset")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    compiled()
    describe("Attacks", f"all seven enforce by their defaults; {options.workers} workers")
    upstream = Upstream("bench._anything")
    try:
        with Gateway(workers=options.workers, settings=SETTINGS, upstream=upstream) as gateway:
            prepare(gateway)
            found = asyncio.run(attack(gateway.address, options.payloads))
            told = verdicts(gateway)
    finally:
        upstream.close()
    table(("verdicts of", "action", "reason", "count"), told)
    return report(found)


if __name__ == "__main__":
    sys.exit(main())
