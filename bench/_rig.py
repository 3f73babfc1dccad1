"""What every benchmark needs: processes on a core, their CPU and memory, and tables.

A figure is only worth its conditions: `Rig.describe` prints them. Every process that is started
here is stopped here, by its pid.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HERE = Path(__file__).parent
CONF = HERE / "conf"
LOAD_CORE, PROXY_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Started:
    """A process of the rig."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid


class Rig:
    """Starts processes in a scratch directory and stops them at the end: `with Rig() as rig`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="plugbay-bench-"))
        self._started: list[Started] = []

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        for started in reversed(self._started):
            self.stop(started)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(
        self, name: str, *command: str | Path, core: int | None = None, **env: str
    ) -> Started:
        """Start a command, pinned to `core`; its output goes to a log in the scratch directory."""
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*pinned, *map(str, command)],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=os.environ | env,
            )
        started = Started(name, process, log)
        self._started.append(started)
        return started

    def stop(self, started: Started) -> None:
        """End a process and wait for it; kill it after five seconds."""
        process = started.process
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def write(self, template: str, **values: object) -> Path:
        """Fill in a template of `conf/` (`${name}`) and return where it was written."""
        text = Template((CONF / template).read_text())
        path = self.folder / template
        path.write_text(text.substitute({key: str(value) for key, value in values.items()}))
        return path

    def until_listening(self, started: Started, port: int, seconds: float = 20.0) -> None:
        """Wait until the port takes connections. Raises `RuntimeError` with the log if not."""

        def listening() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            return False

        self.until(started, listening, seconds)

    def until(self, started: Started, ready: Callable[[], bool], seconds: float = 20.0) -> None:
        """Poll until `ready`. Raises `RuntimeError` with the log if the process ends or is late."""
        deadline = time.monotonic() + seconds
        while not ready():
            if started.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{started.name} is not ready:\n{started.log.read_text()}")
            time.sleep(0.02)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def tree(pid: int) -> list[int]:
    """Return `pid` and its descendants."""
    found = [pid]
    for folder in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            for child in (folder / "children").read_text().split():
                found += tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that the tree of `pid` has used, in user and system mode.

    Of children that have ended only those that were waited for are in it.
    """
    ticks = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


def resident_bytes(pid: int) -> int:
    """Return the resident memory of the tree of `pid`; shared pages count for each process."""
    pages = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
    return pages * PAGE


@dataclass(frozen=True, slots=True)
class Core:
    """How long a core has been busy with anything, and how long the host took it away."""

    busy: float
    stolen: float


def core_times(core: int) -> Core:
    """Return the times of a core since the machine was started, in seconds."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _, _, irq, softirq, stolen = map(int, ticks[:8])
            return Core((user + nice + system + irq + softirq) / TICKS, stolen / TICKS)
    raise RuntimeError(f"there is no core {core}")


def describe(title: str, *notes: str) -> None:
    """Print what is measured and on what."""
    cores = os.cpu_count()
    print(f"\n# {title}")
    print(f"{platform.platform()}, {cores} cores, Python {platform.python_version()}")
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"The machine is not idle (load {load:.1f}): the figures are worth less for it.")
    for note in notes:
        print(note)
    print(flush=True)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table in Markdown, columns aligned; numbers to the right."""
    texts = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *texts, strict=True)]
    marks = ["-" * width for width in widths]
    for line in (list(headers), marks, *texts):
        cells = [
            cell.ljust(width) if not index else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print(f"| {' | '.join(cells)} |")
    print(flush=True)


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Return `median [lowest-highest] (n)`."""
    if not values:
        return "-"
    middle = statistics.median(values)
    lowest, highest = min(values), max(values)
    return f"{middle:.{digits}f} [{lowest:.{digits}f}-{highest:.{digits}f}] ({len(values)})"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile (nearest rank). Raises `ValueError` for no values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def need(*programs: str) -> None:
    """Exit with what to install if a program is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = "wrk nginx libnginx-mod-http-lua util-linux"
        sys.exit(f"not found: {', '.join(missing)}. On Debian: apt install {packages}")
