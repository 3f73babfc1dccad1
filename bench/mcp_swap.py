"""Hot swaps in one MCP session with 64 calls in flight: `python -m bench.mcp_swap [SWAPS]`.

Every call must be answered once, by the right answer, and pass whole generations only.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench._gateway import write_plugin
from bench.mcp import MONITOR, SERVER

IN_FLIGHT = 64
SOURCE = '''
from plugbay.sdk import McpFilter, Plugin


class Main(Plugin[None], McpFilter):
    """Says in each result which generation it passed, on both ways."""

    def on_tool_call(self, message):
        """Say it in the call."""
        return message.with_arguments({**message.arguments, "asked": self.host.generation})

    async def on_tool_result(self, message):
        """Say it in the result."""
        return message.replace(result={**message.result, "answered": self.host.generation})
'''


class Session:
    """A wrapped server, and how often its plugin was swapped."""

    def __init__(self, project: Path) -> None:
        pipe = subprocess.PIPE
        command = [*MONITOR, "-p", str(project), "--", *SERVER]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        self.swaps = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def call(self, *ids: int) -> None:
        """Send calls."""
        assert self.process.stdin is not None
        for id in ids:
            params = {"name": "echo", "arguments": {"id": id}}
            message = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> tuple[int, int]:
        """Return the next answer's id and its generation; both ways must have passed the same."""
        assert self.process.stdout is not None
        message = json.loads(self.process.stdout.readline())
        result = message["result"]
        said = json.loads(result["content"][0]["text"])
        assert said["id"] == message["id"], message
        assert said["asked"] == result["answered"], message
        return message["id"], result["answered"]

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if b"was swapped" in line:
                self.swaps += 1
            else:
                print(line.decode(errors="replace").rstrip())


def main() -> None:
    """Run it, and exit with 1 if a call was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("swaps", type=int, nargs="?", default=1000)
    wanted: int = parser.parse_args().swaps
    with tempfile.TemporaryDirectory() as folder:
        manifest = 'provides = ["mcp-filter"]\n'
        session = Session(write_plugin(Path(folder) / "p", "look", "1.0.0", SOURCE, manifest))
        session.call(-1)
        session.answer()
        began = time.perf_counter()
        answered, generations = set[int](), set[int]()
        session.call(*range(IN_FLIGHT))
        sent, asked = IN_FLIGHT, 0
        while len(answered) < sent:
            id, generation = session.answer()
            assert id not in answered, id
            answered.add(id)
            generations.add(generation)
            if asked == session.swaps and asked < wanted:
                session.process.send_signal(signal.SIGUSR1)
                asked += 1
            if session.swaps < wanted:
                session.call(sent)
                sent += 1
        assert session.process.stdin is not None
        session.process.stdin.close()
        code = session.process.wait()
    seconds = time.perf_counter() - began
    print(
        f"{session.swaps} swaps under {IN_FLIGHT} calls in {seconds:.1f} s: {sent} calls,"
        f" {len(answered)} answered once, {len(generations)} generations seen, exit code {code}"
    )
    sys.exit(code or len(answered) != sent)


if __name__ == "__main__":
    main()
