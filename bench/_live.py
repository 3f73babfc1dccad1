"""Watching a running gateway from outside: traffic in the background, events, metrics, /proc."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bench._gateway import Gateway, wait_for
from bench._traffic import Answer, Connection, Seen, keep_asking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def sound(answer: Answer, allowed: frozenset[int] = frozenset({200})) -> str:
    """Say what is wrong with an answer to `/json`; "" if nothing is."""
    if answer.status not in allowed:
        return f"status {answer.status}: {answer.body[:200]!r}"
    return "" if answer.body.endswith(b"}") else f"short body {answer.body[-40:]!r}"


class Traffic:
    """Strict clients in a thread of their own, from `with` to its end; `seen` is what they saw."""

    def __init__(
        self,
        address: str,
        target: str = "/json",
        *,
        clients: int = 4,
        pause: float = 0.02,
        check: Callable[[Answer], str] = sound,
    ) -> None:
        self.seen = Seen()
        self._address, self._target, self._check = address, target, check
        self._clients, self._pause = clients, pause
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(60)
        self.more(self._clients)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(120)
        assert not self._thread.is_alive()

    def more(self, count: int) -> None:
        """Wait until `count` more requests were answered."""
        wanted = self.seen.requests + count
        wait_for(f"{count} more answers", lambda: self.seen.requests >= wanted)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._started.set()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(
                    keep_asking(
                        self._address, self._target, self.seen, self._stop, self._check, self._pause
                    )
                )


def get(address: str, target: str = "/json") -> Answer:
    """Send one request and return its answer."""

    async def ask() -> Answer:
        connection = Connection(address)
        try:
            return await asyncio.wait_for(connection.get(target), 100)
        finally:
            await connection.close()

    return asyncio.run(ask())


def events(gateway: Gateway, topics: str) -> list[dict[str, Any]]:
    """Return the journal's events of these topics so far."""
    connection = http.client.HTTPConnection(str(gateway.facts["admin"]), timeout=60)
    lines: list[bytes] = []
    try:
        fields = {"authorization": f"Bearer {gateway.client.token}", "last-event-id": "0"}
        connection.request("GET", f"/admin/api/v1/events?topics={topics}", headers=fields)
        sock = connection.sock
        with contextlib.suppress(TimeoutError), connection.getresponse() as response:
            assert response.status == 200, response.read()
            sock.settimeout(0.5)  # the stream has no end: it is quiet when all was sent
            while line := response.readline():
                lines.append(line)
    finally:
        connection.close()
    return [json.loads(line[5:]) for line in lines if line.startswith(b"data:")]


def wait_for_event(
    gateway: Gateway, topic: str, condition: Callable[[Mapping[str, Any]], bool] = lambda data: True
) -> Mapping[str, Any]:
    """Wait for an event of the topic whose data are as wanted, and return these."""

    def look() -> list[Mapping[str, Any]]:
        found = [one["data"] for one in events(gateway, topic) if one.get("topic") == topic]
        return [data for data in found if condition(data)]

    return dict(wait_for(f"event {topic}", look, every=0.2)[0])


def page(address: str, path: str) -> tuple[int, str]:
    """GET a page of the supervisor, such as `/metrics`; return status and text."""
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def metrics(gateway: Gateway) -> dict[str, float]:
    """Return every sample of the metrics page: `name{labels}` and its value."""
    _, text = page(str(gateway.facts["metrics"]), "/metrics")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def total(samples: Mapping[str, float], name: str, *parts: str) -> float:
    """Add up the samples of a family whose labels contain all `parts`."""
    return sum(
        value
        for key, value in samples.items()
        if key.split("{")[0] == name and all(part in key for part in parts)
    )


def plugin(gateway: Gateway, id: str) -> dict[str, Any]:
    """Return the status of a plugin."""
    return dict(gateway.client.call("GET", f"/plugins/{id}").json)


def condition(view: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return one of the conditions of a plugin's status."""
    return next(one for one in view["conditions"] if one["type"] == kind)


def resident(pid: int) -> int:
    """Return the resident bytes of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_files(pid: int) -> int:
    """Return how many file descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return len(os.listdir(f"/proc/{pid}/task"))


def first_lines(texts: Sequence[str], count: int = 5) -> str:
    """Return the first few of many messages, one a line."""
    return "\n".join(f"    {text}" for text in texts[:count])
