"""What each kind of process costs: CPU seconds until it is ready, and memory.

    python -m bench.footprint

CPU time is each process's own. Private is what nobody shares: the memory that one more such process
takes; of commands only the CPU time is told, the median of three runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench._gateway import Gateway
from bench._live import get
from bench._protected import ROOT, compiled
from bench._rig import TICKS, describe, table

TRIES = 3
RATELIMIT = ROOT / "plugins" / "examples" / "ratelimit"
LARGE = 10_000_000
SERVER = """
import sys
for line in sys.stdin.buffer:
    text = line[line.index(b'"t":'):-2]
    sys.stdout.buffer.write(b'{"id":1,"jsonrpc":"2.0","result":{' + text + b"}\\n")
    sys.stdout.buffer.flush()
"""
"""Reads a request, and sends what is in it back as its result."""
MCP = '[[mcp.servers]]\nname = "quiet"\ncommand = "cat"\n'


@dataclass(frozen=True, slots=True)
class Weight:
    """CPU seconds, and memory in bytes: 0 where the process is gone too soon to ask."""

    what: str
    cpu: float
    resident: int = 0
    private: int = 0
    peak: int = 0


def weigh(what: str, pid: int) -> Weight:
    """Weigh a process that runs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    sizes = _sizes(pid, "smaps_rollup") | _sizes(pid, "status")
    return Weight(
        what,
        (int(fields[11]) + int(fields[12])) / TICKS,
        sizes["Rss"],
        sizes["Private_Clean"] + sizes["Private_Dirty"],
        sizes["VmHWM"],
    )


def _sizes(pid: int, file: str) -> dict[str, int]:
    lines = (line.split() for line in Path(f"/proc/{pid}/{file}").read_text().splitlines())
    return {line[0].rstrip(":"): int(line[1]) * 1024 for line in lines if line[-1] == "kB"}


def run(what: str, *arguments: str) -> Weight:
    """Run a command of ours to its end."""
    tries: list[float] = []
    for _ in range(TRIES):
        command = [sys.executable, "-m", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        tries.append(usage.ru_utime + usage.ru_stime)
    return Weight(what, statistics.median(tries))


def children_seconds(pid: int) -> float:
    """Return the CPU time of those children of a process that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / TICKS


def gateway() -> list[Weight]:
    """Weigh the processes of a gateway when it is ready, has answered, and has a plugin more."""
    found: list[Weight] = []
    with Gateway(settings=MCP) as running:
        (worker,) = running.worker_pids()
        get(running.address)
        found += [weigh("supervisor", running.process.pid), weigh("worker", worker)]
        found += [weigh("MCP host", pid) for pid in _mcp_hosts(running)]
        before = children_seconds(running.process.pid)
        running.push(RATELIMIT)
        running.put("ratelimit", version="1.0.0")
        judged = children_seconds(running.process.pid) - before
        get(running.address)
        found.append(weigh("worker, 1 plugin", worker))
        found.append(Weight("the children that judge a wheel", judged))
        token = running.client.token
        os.environ["PLUGBAY_TOKEN"] = token
        url = ("--url", running.admin_url)
        found.append(run("plugbay plugin list", "plugbay", "plugin", "list", *url))
    return found


def _mcp_hosts(running: Gateway) -> list[int]:
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
    return [
        int(pid)
        for pid in children.read_text().split()
        if b"plugbay.app.mcp_host" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def monitor() -> list[Weight]:
    """Weigh `plugbay monitor`, without and with a plugin, also when messages are large."""
    found: list[Weight] = []
    for plugins in ((), ("-p", "redact")):
        for size in (0, LARGE):
            command = [sys.executable, "-m", "plugbay", "monitor", *plugins, "--"]
            with subprocess.Popen(
                [*command, sys.executable, "-c", SERVER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            ) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                for _ in range(3):
                    process.stdin.write(b'{"id":1,"jsonrpc":"2.0","method":"x","params":{"t":"')
                    process.stdin.write(b"x" * size + b'"}}\n')
                    process.stdin.flush()
                    assert len(process.stdout.readline()) >= size
                what = f"monitor, {len(plugins) // 2} plugins, {size / 1e6:.0f} MB messages"
                found.append(weigh(what, process.pid))
                process.stdin.close()
                process.wait(30)
    return found


def main() -> int:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    compiled()
    describe("Footprint", "with bytecode, as an installation has it")
    run("warm", "plugbay", "--help")
    found = [*gateway(), *monitor(), run("plugbay --help", "plugbay", "--help")]
    table(
        ("process", "CPU s", "RSS MiB", "private MiB", "peak MiB"),
        [
            (one.what, f"{one.cpu:.2f}", *map(_mib, (one.resident, one.private, one.peak)))
            for one in found
        ],
    )
    return 0


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f}" if size else "-"


if __name__ == "__main__":
    sys.exit(main())
