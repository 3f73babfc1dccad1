"""A client that costs next to nothing, in a process of its own: how long answers take.

    python -m bench._stopwatch < job.json

A job is `{"address", "requests": [text, …], "count"}`; the requests take turns on one keep-alive
connection. What is timed is from the send of the first byte to the last byte of the answer; the
times are printed by request, in milliseconds, with what was wrong. Nothing else runs in this
process: another thread of Python's may hold the interpreter for 5 ms, which would be counted.
"""

from __future__ import annotations

import gc
import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

END = b"\r\n\r\n"


@dataclass(slots=True)
class Timed:
    """Milliseconds of each answer by request, what was wrong, and the last bodies."""

    times: list[list[float]]
    problems: list[str] = field(default_factory=list[str])
    bodies: list[str] = field(default_factory=list[str])


class Wire:
    """One connection, from which whole answers are read."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> tuple[float, bytes]:
        """Send a request; return the milliseconds until all of its answer was there, and that."""
        began = time.perf_counter()
        self._socket.sendall(request)
        answer = self._socket.recv(262144)
        while not _whole(answer):
            more = self._socket.recv(262144)
            if not more:
                raise ConnectionError(f"cut off behind {answer[:200]!r}")
            answer += more
        return (time.perf_counter() - began) * 1000, answer

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def request(address: str, token: str, method: str, path: str, content: object = None) -> bytes:
    """Return a request as it is sent."""
    body = b"" if content is None else json.dumps(content).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def measure(address: str, requests: Sequence[bytes], count: int) -> Timed:
    """Let another process send each of the requests `count` times."""
    job = {"address": address, "requests": [one.decode() for one in requests], "count": count}
    done = subprocess.run(
        [sys.executable, "-m", "bench._stopwatch"],
        input=json.dumps(job).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Timed(**json.loads(done.stdout))


def _whole(answer: bytes) -> bool:
    head, end, body = answer.partition(END)
    if not end:
        return False
    lines = head.lower().split(b"\r\n")
    length = next(line for line in lines if line.startswith(b"content-length:"))
    return len(body) >= int(length[15:])


def _run(address: str, requests: list[bytes], count: int) -> Timed:
    """Do the job in this process."""
    found = Timed(times=[[] for _ in requests])
    wire = Wire(address)
    gc.disable()
    answers = [b""] * len(requests)
    for _ in range(count):
        for index, one in enumerate(requests):
            took, answer = wire.ask(one)
            found.times[index].append(took)
            answers[index] = answer
            if not answer.startswith(b"HTTP/1.1 200 "):
                found.problems.append(answer[:300].decode(errors="replace"))
    wire.close()
    found.bodies = [answer.partition(END)[2].decode() for answer in answers]
    return found


def main() -> None:
    """Read a job, print what came of it."""
    job = json.load(sys.stdin)
    found = _run(job["address"], [one.encode() for one in job["requests"]], job["count"])
    found.problems = found.problems[:5]
    json.dump({name: getattr(found, name) for name in Timed.__dataclass_fields__}, sys.stdout)


if __name__ == "__main__":
    main()
