"""What the gateway has acknowledged, and whether it is still there after a crash."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from bench._gateway import Gateway, wait_for, write_plugin
from plugbay.cli._client import ApiError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

STAMP = """
from dataclasses import dataclass
from plugbay.sdk import Plugin, Request, Response, ResponseFilter

@dataclass(frozen=True, slots=True)
class Config:
    note: str = "first"

class Main(Plugin[Config], ResponseFilter):
    def on_response(self, request: Request, response: Response) -> Response | None:
        response.headers.set("x-stamp", "{version}")
        return None
"""

SLOW = """
import asyncio
from dataclasses import dataclass
from plugbay.sdk import Plugin, Request, Response, ResponseFilter

@dataclass(frozen=True, slots=True)
class Config:
    seconds: float = 0.0

class Main(Plugin[Config], ResponseFilter):
    async def start(self) -> None:
        await asyncio.sleep(self.config.seconds)

    def on_response(self, request: Request, response: Response) -> Response | None:
        return None
"""

FILTER = 'provides = ["response-filter"]\n'


def stamp(gateway: Gateway, version: str) -> Path:
    """Write a version of the plugin that writes its version into responses."""
    folder = gateway.folder / f"stamp-{version}"
    return write_plugin(folder, "stamp", version, STAMP.replace("{version}", version), FILTER)


def install(gateway: Gateway) -> None:
    """Enable a plugin with a few versions of its configuration, and one that can start slowly."""
    gateway.push(stamp(gateway, "1.0.0"))
    gateway.put("stamp", version="1.0.0", watch=0.0)
    for number in range(3):
        gateway.change("PUT", "/plugins/stamp/config", {"config": {"note": f"number {number}"}})
    gateway.push(write_plugin(gateway.folder / "slow", "slow", "1.0.0", SLOW, FILTER))
    gateway.operation(gateway.put("slow", version="1.0.0", watch=0.0)["id"])


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """All that the API shows as done: artifacts, config versions and finished operations."""

    artifacts: frozenset[tuple[str, str]]
    configs: frozenset[tuple[int, str]]
    operations: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, gateway: Gateway) -> Self:
        """Read it all."""
        client = gateway.client
        return cls(
            frozenset(
                # What was not judged yet may be by the next supervisor.
                (one["digest"], state)
                for one in client.items("/artifacts")
                for state in {"there", one["state"]} - {"uploaded"}
            ),
            frozenset(
                (one["version"], str(one["config"]))
                for one in client.items("/plugins/stamp/config/versions")
            ),
            frozenset(
                (one["id"], one["state"]) for one in client.items("/operations") if one["finished"]
            ),
        )

    def missing(self, gateway: Gateway) -> list[str]:
        """Say what is not there any more."""
        now = Acknowledged.of(gateway)
        lost = (
            *(self.artifacts - now.artifacts),
            *(self.configs - now.configs),
            *(self.operations - now.operations),
        )
        return [f"lost: {one}" for one in lost]


@dataclass(slots=True)
class Writer:
    """Uploads and configures as fast as it is answered, and keeps what was acknowledged."""

    gateway: Gateway
    name: str
    digests: list[str] = field(default_factory=list[str])
    operations: dict[str, str] = field(default_factory=dict[str, str])
    """Operations by id, with the configuration that each was to bring."""
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        wait_for("writes", lambda: len(self.operations) > 5 and len(self.digests) > 1)
        return self

    def __exit__(self, *_: object) -> None:
        """It ends when nothing answers any more."""
        assert self._thread is not None
        self._thread.join(120)
        assert not self._thread.is_alive()

    def _write(self) -> None:
        number = 0
        with contextlib.suppress(Unreachable):
            while True:
                number += 1
                self._configure(f"{self.name} {number}")
                if number % 4 == 0:
                    version = f"9.{time.time_ns()}.{number}"
                    self.digests.append(self.gateway.push(stamp(self.gateway, version))["digest"])

    def _configure(self, note: str) -> None:
        client, path = self.gateway.client, "/plugins/stamp/config"
        tag = client.tag(path) or ""
        # Somebody else's change came between: that is no acknowledgement.
        with contextlib.suppress(ApiError):
            content = {"config": {"note": note}}
            id = client.call("PUT", path, content, headers={"if-match": tag}).json["id"]
            self.operations[id] = note

    def missing(self) -> list[str]:
        """Say which of what was acknowledged is not there, or has not come to its end."""
        client = self.gateway.client
        digests = {one["digest"] for one in client.items("/artifacts")}
        lost = [f"artifact {digest}" for digest in self.digests if digest not in digests]
        ended = {id: self.gateway.operation(id)["state"] for id in self.operations}
        versions = client.items("/plugins/stamp/config/versions")
        notes = {one["config"].get("note") for one in versions}
        for id, note in self.operations.items():
            if ended[id] == "succeeded" and note not in notes:
                lost.append(f"the config {note!r} of {id}")
        return lost


def slow_change(gateway: Gateway) -> str:
    """Ask for a change that takes a while; return its id when it is being prepared."""
    client, path = gateway.client, "/plugins/slow/config"
    headers = {"if-match": client.tag(path) or ""}
    id = str(client.call("PUT", path, {"config": {"seconds": 3.0}}, headers=headers).json["id"])
    gateway.operation(id, lambda one: one["state"] == "preparing")
    return id


def no_longer_slow(gateway: Gateway) -> None:
    """Take that change back: a worker that starts would wait for it, too."""
    gateway.change("PUT", "/plugins/slow/config", {"config": {"seconds": 0.0}})


@contextlib.contextmanager
def interrupted(gateway: Gateway) -> Generator[None]:
    """An upload of which half has come."""
    connection = http.client.HTTPConnection(str(gateway.facts["admin"]), timeout=30)
    size = 4 << 20
    try:
        connection.putrequest("POST", "/admin/api/v1/artifacts?filename=half-1.0-py3-none-any.whl")
        connection.putheader("authorization", f"Bearer {gateway.client.token}")
        connection.putheader("content-length", str(size))
        connection.endheaders(b"x" * (size // 2))
        wait_for("the half upload", lambda: any((gateway.data / "tmp").iterdir()))
        yield
    finally:
        connection.close()
