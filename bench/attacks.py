"""Attacks on a gateway that all seven protection plugins guard, with benign traffic in the mix.

    bench/run attacks                    # or: python -m bench.attacks --payloads FILE

Each attack is replayed over real connections; `stopped` are requests that were refused, limited
or held, so that the upstream never saw them. What benign clients of a real access log got in the
meantime is printed below. Whoever asks here is the trusted proxy, which says for whom.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import io
import itertools
import json
import random
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from bench._gateway import Gateway, Upstream
from bench._live import metrics
from bench._protected import ACCOUNT, DATA, PROTECTION, SESSION, compiled, operate, protected
from bench._rig import describe, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

sys.path.append(str(PROTECTION / "ratelimit-ml" / "src"))
evaluate: Any = import_module("plugbay_ratelimit_ml.evaluate")
agents: Any = import_module("plugbay_ratelimit_ml._agents")

SETTINGS: Final = '[limits]\ntrusted_proxies = ["127.0.0.0/8"]\nhead_timeout = 2.0\n'
LOG: Final = PROTECTION / "ratelimit-ml" / "tests" / "data" / "access.log.gz"
PAYLOADS: Final = PROTECTION / "mlabuse" / "tests" / "data" / "httpparams-test.csv"
LONDON, MILTON, CHANGCHUN = "81.2.69.160", "216.160.83.57", "175.16.199.1"
PATIENCE: Final = 20.0
AT_ONCE: Final = 8
FEW: Final = 4
"""Requests of each benign client: a replay is quicker than people, and is not to be judged so."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One request: for whom, what, and what it says besides."""

    client: str
    target: str
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


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


# --- the attacks ----------------------------------------------------------------------------------


def rotating(count: int) -> Iterable[Shot]:
    """One client that claims to be another with each request; the proxy adds who it really is."""
    chance = random.Random(1)
    for number in range(count):
        claimed = ".".join(str(chance.randrange(1, 255)) for _ in range(4))
        yield Shot(f"{claimed}, 203.0.113.9", f"/item/{number}")


def stuffing(count: int) -> Iterable[Shot]:
    """Passwords for one account from one client, and for many accounts from another."""
    for number in range(count):
        tries = ((ACCOUNT[0], "203.0.113.10"), (f"user{number}", "203.0.113.11"))
        for name, client in tries:
            body = json.dumps({"username": name, "password": f"password{number}"}).encode()
            yield Shot(client, "/ztna/login", body=body)


def probes() -> Iterable[Shot]:
    """What scanners have asked for in a real log, each from an address of its own."""
    for line in (DATA / "probes.txt").read_text().splitlines():
        number, target = line.split(" ", 1)
        yield Shot(f"203.0.113.{20 + int(number)}", target)


def payloads(path: Path) -> dict[str, list[Shot]]:
    """Return attacks of HttpParamsDataset by kind, each from an address of its own."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8", "replace")
    found: dict[str, list[Shot]] = {}
    for number, row in enumerate(csv.DictReader(io.StringIO(text))):
        kind, client = row["attack_type"], f"198.19.{number >> 8 & 255}.{number & 255}"
        shot = Shot(client, f"/search?q={quote(row['payload'][:4000])}")
        found.setdefault(kind, []).append(shot)
    return found


def hopping(count: int) -> Iterable[Shot]:
    """A session's owner in one city, and thieves in two others, in turns."""
    shown = (("cookie", f"{SESSION}=5e551on"),)
    for number in range(count):
        yield Shot((MILTON, CHANGCHUN)[number % 2], f"/item/{number}", shown)


def indicated(count: int) -> Iterable[Shot]:
    """Clients that the feed names."""
    for address in (DATA / "ipsum.txt").read_text().split()[:count]:
        yield Shot(address, "/")


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


# --- benign traffic -------------------------------------------------------------------------------


def benign() -> list[Shot]:
    """Return the first requests of people of a real access log, as their browsers sent them."""
    lines: Sequence[Any] = sorted(evaluate.lines(LOG), key=lambda line: float(line.time))
    probed = {line.split(" ", 1)[1] for line in (DATA / "probes.txt").read_text().splitlines()}
    hostile = {line.client for line in lines if line.target in probed}
    seen: Counter[str] = Counter()
    found: list[Shot] = []
    for line in lines:
        if line.client in hostile or agents.says_so(line.agent) or seen[line.client] >= FEW:
            continue
        seen[line.client] += 1
        fields = [("user-agent", line.agent), ("accept-language", "en")]
        if line.referer not in ("", "-"):
            fields.append(("referer", line.referer))
        found.append(Shot(line.client, line.target, tuple(fields)))
    return found


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
