"""Uploads: what eight artifacts of 50 MB at once cost the gateway, and everybody else.

    python -m bench.upload [--store files|gridfs|both] [--uploads 8] [--megabytes 50]

Each upload is another wheel and goes through every layer, the trial included. Meanwhile one
client asks the admin API, whose event loop takes the uploads, and others send requests through
the gateway. Resident memory is that of the supervisor, sampled every 10 ms.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import functools
import http.client
import multiprocessing
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Self

from tests.unit.artifacts.gridfs.database import running

from bench._gateway import Gateway, write_plugin
from bench._live import Traffic, resident
from bench._rig import describe, percentile, table
from plugbay.artifacts import build_wheel
from plugbay.cli._client import AdminClient, ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

MB = 1_000_000
FLAT = 100 * MB
"""By how much resident memory may grow: a quarter of what is uploaded at once."""
SOURCE = """
from plugbay.sdk import Plugin, Request, RequestFilter, Response

class Main(Plugin[None], RequestFilter):
    def on_request(self, request: Request) -> Response | None:
        return None
"""
MANIFEST = 'provides = ["request-filter"]\n'


@dataclass(frozen=True, slots=True)
class Sent:
    """One upload: what came of it, when its last byte was sent and when it was answered."""

    problem: str
    sent: float
    answered: float


@dataclass(slots=True)
class Watch:
    """Samples the gateway in the background: `with Watch(gateway) as watch`."""

    gateway: Gateway
    memory: list[int] = field(default_factory=list[int])
    times: list[float] = field(default_factory=list[float])
    problems: list[str] = field(default_factory=list[str])
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])

    def __enter__(self) -> Self:
        for work in (self._sample, self._ask):
            thread = threading.Thread(target=work, daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _sample(self) -> None:
        while not self._stop.wait(0.01):
            self.memory.append(resident(self.gateway.process.pid))

    def _ask(self) -> None:
        """Ask for something small every 10 ms: it waits for the event loop and little else."""
        connection = http.client.HTTPConnection(str(self.gateway.facts["admin"]), timeout=60)
        fields = {"authorization": f"Bearer {self.gateway.client.token}"}
        while not self._stop.wait(0.01):
            began = time.perf_counter()
            connection.request("GET", "/admin/api/v1/plugins", headers=fields)
            response = connection.getresponse()
            response.read()
            self.times.append((time.perf_counter() - began) * 1000)
            if response.status != 200:
                self.problems.append(f"GET /plugins: {response.status}")
        connection.close()


def wheels(folder: Path, count: int, megabytes: int) -> list[Path]:
    """Build `count` plugins that cannot be compressed, each another."""
    made: list[Path] = []
    for number in range(count):
        id = f"large-{number}"
        project = write_plugin(folder / id, id, "1.0.0", SOURCE, MANIFEST)
        data = Random(number).randbytes(megabytes * MB - 20_000)
        (project / "src" / f"plugbay_large_{number}" / "data.bin").write_bytes(data)
        made.append(build_wheel(project, folder))
    return made


def send(url: str, token: str, paths: Sequence[Path]) -> list[Sent]:
    """Upload all of them at once."""
    with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
        return list(pool.map(functools.partial(_send, url, token), paths))


def _send(url: str, token: str, path: Path) -> Sent:
    last, size, problem = 0.0, path.stat().st_size, ""

    def progress(sent: int) -> None:
        nonlocal last
        if sent == size and not last:
            last = time.time()

    try:
        AdminClient(url, token, timeout=300).upload(path, progress=progress)
    except (ApiError, OSError) as error:
        problem = f"{path.name}: {error}"
    return Sent(problem, last, time.time())


def measure(settings: str, paths: Sequence[Path], name: str) -> tuple[list[object], list[str]]:
    """Return a row of the table, and what was wrong."""
    spawn = multiprocessing.get_context("spawn")
    with (
        concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as sender,
        Gateway(workers=1, settings=settings) as gateway,
    ):
        sender.submit(time.time).result()  # it is there, and has imported this
        with Traffic(gateway.address, clients=4) as calm, Watch(gateway) as idle:
            calm.more(400)
        began = time.time()
        with Traffic(gateway.address, clients=4) as traffic, Watch(gateway) as busy:
            sent = sender.submit(send, gateway.admin_url, gateway.client.token, paths).result()
        problems = [one.problem for one in sent if one.problem]
        problems += traffic.seen.failures + busy.problems
        problems += [f"left over: {path.name}" for path in (gateway.data / "tmp").iterdir()]
    size = sum(path.stat().st_size for path in paths) / MB
    before, peak = max(idle.memory), max(busy.memory)
    if peak - before > FLAT:
        problems.append(f"the memory grew by {(peak - before) / MB:.0f} MB")
    row: list[object] = [
        name,
        f"{size / (max(one.sent for one in sent) - began):.0f}",
        f"{size / (max(one.answered for one in sent) - began):.0f}",
        f"{before / MB:.0f}",
        f"{peak / MB:.0f}",
        _delays(idle.times),
        _delays(busy.times),
        _delays([seconds * 1000 for seconds in calm.seen.latencies]),
        _delays([seconds * 1000 for seconds in traffic.seen.latencies]),
    ]
    return row, problems


def _delays(times: Sequence[float]) -> str:
    return " / ".join(f"{percentile(times, percent):.1f}" for percent in (50, 99, 100))


def main() -> int:
    """Print the table; 1 if anything failed or the memory was not flat."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("files", "gridfs", "both"), default="both")
    parser.add_argument("--uploads", type=int, default=8)
    parser.add_argument("--megabytes", type=int, default=50)
    options = parser.parse_args()
    describe(
        f"Uploads: {options.uploads} x {options.megabytes} MB at once",
        "Senders, load, upstream, trials and (for GridFS) the database share the cores.",
    )
    rows: list[list[object]] = []
    problems: list[str] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plugbay-upload-")))
        paths = wheels(folder, options.uploads, options.megabytes)
        for store in ("files", "gridfs"):
            if options.store not in (store, "both"):
                continue
            settings = ""
            if store == "gridfs":
                (folder / "database").mkdir()
                address = stack.enter_context(running(folder / "database"))
                settings = f'[artifacts]\nstore = "gridfs"\ngridfs.uri = "mongodb://{address}/"\n'
            row, wrong = measure(settings, paths, store)
            rows.append(row)
            problems += wrong
    table(
        (
            "store",
            "MB/s taken",
            "MB/s validated",
            "resident MB before",
            "peak",
            "GET /plugins ms p50 / p99 / worst before",
            "meanwhile",
            "request ms before",
            "meanwhile",
        ),
        rows,
    )
    print(f"aim: the supervisor grows by less than {FLAT / MB:.0f} MB")
    print("\n".join(problems[:5]))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
