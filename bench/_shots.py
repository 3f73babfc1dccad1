"""Requests of attackers, and of people whom a real access log has seen."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import sys
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from bench._protected import ACCOUNT, DATA, PROTECTION, SESSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

sys.path.append(str(PROTECTION / "ratelimit-ml" / "src"))
evaluate: Any = import_module("plugbay_ratelimit_ml.evaluate")
agents: Any = import_module("plugbay_ratelimit_ml._agents")

LOG: Final = PROTECTION / "ratelimit-ml" / "tests" / "data" / "access.log.gz"
LONDON, MILTON, CHANGCHUN = "81.2.69.160", "216.160.83.57", "175.16.199.1"
FEW: Final = 4
"""Requests of each benign client: a replay is quicker than people, and is not to be judged so."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One request: for whom, what, and what it says besides."""

    client: str
    target: str
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


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
