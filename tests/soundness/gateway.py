"""The gateway as a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.soundness.client import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVE = Path(__file__).with_name("serve.py")


class Gateway:
    """A running data plane; it is asked for its figures over its standard input."""

    def __init__(self, process: subprocess.Popen[str], max_spare: int) -> None:
        self.process = process
        self.max_spare = max_spare
        self.port = int(self._line()["port"])

    def stats(self) -> dict[str, int]:
        """Return `connections` (of clients), `exchanges`, and what else `serve.py` tells."""
        return self.tell("stats")

    def tell(self, command: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._line()

    def settle(self) -> None:
        """Wait until no client is connected and nothing is in flight or held by anybody."""
        for _ in wait_until():
            stats = self.stats()
            spare = stats.pop("spare")
            if not any(stats.values()):
                assert spare <= self.max_spare
                return

    def resident(self) -> int:
        """Return the resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def processor_time(self) -> float:
        """Return the seconds of processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise EOFError(f"the gateway has ended with status {self.process.wait(10)}")
        result: dict[str, Any] = json.loads(line)
        return result


@contextmanager
def serving(**settings: Any) -> Iterator[Gateway]:
    """Run `serve.py` with these settings; it must end cleanly and say nothing on stderr.

    `upstreams`, `routes`, `limits` are the fields of the specs, as plain data.
    """
    process = subprocess.Popen(
        [sys.executable, "-W", "error", _SERVE, json.dumps(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Gateway(process, 4)
        _, errors = process.communicate("quit\n", timeout=100)
    except BaseException:
        process.kill()
        _, errors = process.communicate()
        sys.stderr.write(errors)
        raise
    assert process.returncode == 0, errors
    assert errors == ""


def plain(address: str, **upstream: Any) -> dict[str, Any]:
    """Settings for one route to one upstream."""
    spec = {"name": "u", "targets": [{"address": address}], "max_spare": 4, **upstream}
    return {"upstreams": [spec], "routes": [{"name": "r", "upstream": "u"}]}
