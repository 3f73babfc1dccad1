"""kill -9 around MCP traffic, at random points: `python -m bench.mcp_kill [RUNS] [--seed N]`.

Over stdio a client keeps 64 calls in flight through `plugbay monitor`, which has two km plugins (in
Go and in Python, each a process) beside it. Then one of them is killed: a plugin, the server, the
client, or the wrapper itself. Every call must be answered once, by its result or by an error that
says that the server has gone, or, if it was written after that, by the end of the stream. No
process may be left behind. Over HTTP sixteen clients call through a gateway's route, and an HTTP
server, the gateway's own server over stdio, or a client is killed. Nothing may hang for more than
five seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bench._go import ROOT, build_go
from bench._mcp_kill_http import VICTIMS as OVER_HTTP
from bench._mcp_kill_http import Scene, scene
from bench._mcp_victims import GO, PYTHON, ROLES, await_family, await_role, below, gone, is_whole
from bench._mcp_victims import SERVER as SERVER_PROCESS
from bench._mcp_ways import call
from bench._rig import describe, table
from bench.mcp import MONITOR, SERVER

IN_FLIGHT = 64
LONGEST = 5.0
PATIENCE = 60.0
LOG = 4096
"""Bytes of what the wrapper has said that are shown of a run that was wrong."""
OVER_STDIO = (SERVER_PROCESS, "client", GO, PYTHON, "wrapper")
VICTIMS = (*OVER_STDIO, *OVER_HTTP)
PYTHON_PLUGIN = ROOT / "tests" / "unit" / "km" / "program.py.txt"
KEY = "bench-api-key-1234567890"


@dataclass(slots=True)
class Outcome:
    """What became of one run."""

    seconds: float = 0.0
    clean: float = 0.0
    answered: int = 0
    refused: int = 0
    closed: int = 0
    problems: list[str] = field(default_factory=list[str])

    def must(self, holds: bool, what: str) -> None:
        """Note a problem unless it holds."""
        if not holds:
            self.problems.append(what)


def make_home(folder: Path) -> dict[str, str]:
    """Install both plugins into a home directory, and return the environment that has it."""
    plugins, records = folder / ".km" / "plugins", folder / "records"
    plugins.mkdir(parents=True)
    records.mkdir()
    shutil.copy(build_go(ROOT / "go/examples/km"), plugins / "km-plugin-console-logger")
    about = {
        "name": "watcher",
        "version": "1.0.0",
        "tier": "Free",
        "user_tier": "Free",
        "authorized": True,
        "key": KEY,
        "lasts": 3600,
        "dies": "never",
        "hangs": False,
        "tells": False,
        "record": str(records / "watcher.jsonl"),
    }
    program = plugins / "km-plugin-watcher"
    text = PYTHON_PLUGIN.read_text().format(python=sys.executable, about=json.dumps(about))
    program.write_text(text)
    program.chmod(0o755)
    (folder / ".plugbay").mkdir()
    (folder / ".plugbay" / "km.toml").write_text(
        f"[limits]\nreadable = {json.dumps([str(ROOT / 'src')])}\n"
        f"writable = {json.dumps([str(records)])}\n"
    )
    own = {"HOME": str(folder), "PLUGBAY_STATE_DIR": str(folder / "state")}
    return {**os.environ, **own, "KM_API_KEY": KEY, "KM_DEBUG": "1"}


class Client:
    """Keeps calls in flight and counts what comes back."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self._buffer = b""
        self.asked = 0
        self.answers: Counter[int] = Counter()
        self.refused = 0
        self.longest = 0.0
        self.ended = False

    def ask(self, count: int) -> None:
        """Send calls, unless nobody takes them any more."""
        ids = range(self.asked, self.asked + count)
        try:
            self._stdin.write(b"".join(call(id) + b"\n" for id in ids))
            self._stdin.flush()
            self.asked += count
        except BrokenPipeError:
            self.ended = True

    def serve(self, until: float, *, more: bool = True) -> None:
        """Take answers until then, or the end; ask anew for each if `more`."""
        while (left := until - time.monotonic()) > 0:
            began = time.monotonic()
            if not select.select([self._stdout], [], [], left)[0]:
                self.longest = max(self.longest, time.monotonic() - began)
                return
            self.longest = max(self.longest, time.monotonic() - began)
            data = os.read(self._stdout.fileno(), 1 << 18)
            if not data:
                self.ended = True
                return
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
            if more and lines and not (self.ended or self.refused):
                self.ask(len(lines))
            if not more and len(self.answers) == self.asked:
                return

    def _take(self, message: dict[str, object]) -> None:
        id = message["id"]
        assert isinstance(id, int)
        self.answers[id] += 1
        if "error" in message:
            self.refused += 1

    def close(self) -> None:
        """End the input."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()


def start(env: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a wrapped server."""
    pipe = subprocess.PIPE
    return subprocess.Popen([*MONITOR, "--", *SERVER], stdin=pipe, stdout=pipe, stderr=log, env=env)


def run(victim: str, delay: float, env: dict[str, str]) -> Outcome:
    """Kill something `delay` seconds after the first answers have come."""
    with tempfile.TemporaryFile() as log:
        outcome = _run(victim, delay, start(env, log))
        if outcome.problems:
            log.seek(0)
            outcome.problems.append(f"it said {log.read()[-LOG:].decode(errors='replace')}")
    return outcome


def _run(victim: str, delay: float, process: subprocess.Popen[bytes]) -> Outcome:
    outcome = Outcome()
    client = Client(process)
    client.ask(IN_FLIGHT)
    first = time.monotonic() + PATIENCE
    while not client.answers and time.monotonic() < first:
        client.serve(time.monotonic() + 0.02)
    found = await_family(process.pid, PATIENCE)
    outcome.must(is_whole(found), f"there are only {[*found.values()]}")
    client.longest = 0.0
    client.serve(time.monotonic() + delay)
    # A plugin that has just begun again is not itself yet.
    pids = await_role(process.pid, victim, PATIENCE) if victim in ROLES else []
    family = found | below(process.pid)
    began = time.monotonic()
    if victim == "client":
        # What the system does when a client is killed: both pipes are closed at once.
        client.close()
        if process.stdout is not None:
            process.stdout.close()
    elif victim == "wrapper":
        os.kill(process.pid, signal.SIGKILL)
    else:
        outcome.must(bool(pids), f"there is no {victim} to kill")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    _after(victim, client, outcome)
    outcome.seconds = time.monotonic() - began
    # Plugins are told for some seconds yet what they have not been told.
    left = gone({process.pid, *family}, 2 * LONGEST)
    outcome.must(not left, f"left behind: {[family.get(pid, 'the wrapper') for pid in left]}")
    outcome.clean = time.monotonic() - began
    outcome.answered, outcome.refused = len(client.answers), client.refused
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    client.close()
    if process.stdout is not None:
        process.stdout.close()
    return outcome


def _after(victim: str, client: Client, outcome: Outcome) -> None:
    if victim == "client":
        return
    plugin = "plugin" in victim
    client.serve(time.monotonic() + (0.5 if plugin else LONGEST))
    if plugin:
        outcome.must(not client.ended, "the stream has ended with the plugin")
        client.serve(time.monotonic() + LONGEST, more=False)
        outcome.must(not client.refused, f"{client.refused} calls were refused")
        client.close()
        client.serve(time.monotonic() + LONGEST)
    outcome.must(client.ended, "the stream has not ended")
    outcome.must(client.longest < LONGEST, f"silence of {client.longest:.1f} s")
    twice = [id for id, count in client.answers.items() if count > 1]
    outcome.must(not twice, f"answered twice: {twice[:5]}")
    outcome.closed = client.asked - len(client.answers)
    if plugin:
        outcome.must(not outcome.closed, f"{outcome.closed} calls were not answered")
    elif victim == "server":
        # Those that were still in the pipe when all the others had been answered.
        outcome.must(outcome.closed <= IN_FLIGHT, f"{outcome.closed} calls were not answered")


def run_http(routes: Scene, victim: str, delay: float) -> Outcome:
    """Kill something around a gateway's route."""
    calls, well = routes.run(victim, delay)
    return Outcome(
        seconds=calls.longest,
        clean=well,
        answered=calls.answered,
        refused=calls.refused,
        closed=calls.closed,
        problems=calls.problems,
    )


def main() -> None:
    """Run it, and exit with 1 if a run was not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int, nargs="?", default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    describe("kill -9 around MCP", f"{options.runs} runs, seed {options.seed}, 64 calls in flight")
    outcomes: dict[str, list[Outcome]] = {victim: [] for victim in VICTIMS}
    with tempfile.TemporaryDirectory() as folder, scene() as routes:
        env = make_home(Path(folder))
        for number in range(options.runs):
            victim = VICTIMS[number % len(VICTIMS)]
            delay = chance.uniform(0, 0.4)
            over_stdio = victim in OVER_STDIO
            outcome = run(victim, delay, env) if over_stdio else run_http(routes, victim, delay)
            outcomes[victim].append(outcome)
            for problem in outcome.problems:
                print(f"run {number}, {victim} after {delay:.3f} s: {problem}", flush=True)
    rows: list[list[object]] = []
    for victim, found in outcomes.items():
        if found:
            rows.append(
                [
                    victim,
                    len(found),
                    sum(one.answered for one in found),
                    sum(one.refused for one in found),
                    sum(one.closed for one in found),
                    max(one.seconds for one in found),
                    max(one.clean for one in found),
                    sum(bool(one.problems) for one in found),
                ]
            )
    columns = [
        "killed",
        "runs",
        "answers",
        "refused",
        "told by the end",
        "stream over (HTTP: each call) after, at most s",
        "processes gone (HTTP: all well) after, at most s",
    ]
    table([*columns, "wrong"], rows)
    sys.exit(any(one.problems for found in outcomes.values() for one in found))


if __name__ == "__main__":
    main()
