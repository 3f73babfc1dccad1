"""Small plugins for the live tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench._gateway import Gateway, write_plugin

if TYPE_CHECKING:
    from pathlib import Path

EXCLUSIVE = """
import asyncio
from plugbay.sdk import Plugin, Request, RequestFilter, Response, ResponseFilter

class Main(Plugin[None], RequestFilter, ResponseFilter):
    async def start(self) -> None:
        if await self.host.kv.get("open"):
            raise RuntimeError("another generation has it open")
        await self.host.kv.set("open", b"{version}")
        await asyncio.sleep(0.05)

    async def stop(self) -> None:
        await self.host.kv.delete("open")

    def on_request(self, request: Request) -> Response | None:
        return None

    def on_response(self, request: Request, response: Response) -> Response | None:
        response.headers.set("x-stamp", "{version}")
        return None
"""

HOST = """
import json
from dataclasses import dataclass
from plugbay.sdk import Event, EventHandler, Plugin, Request, RequestFilter, Response

@dataclass(frozen=True, slots=True)
class Config:
    password: str = ""
    variable: str = ""

class Main(Plugin[Config], RequestFilter, EventHandler):
    topics = ("news.*",)

    async def start(self) -> None:
        self.heard: list[str] = []
        self.visits = self.host.metrics.counter("visits_total", "Visits.")

    async def on_request(self, request: Request) -> Response | None:
        if not request.path.startswith("/host/"):
            return None
        self.visits.inc()
        what = request.path.removeprefix("/host/")
        if what == "set":
            await self.host.kv.set("key", b"kept")
        elif what == "publish":
            self.host.events.publish("news.one", text="hello")
        stored = await self.host.kv.get("key")
        return Response.json({
            "worker": id(self),
            "generation": self.host.generation,
            "stored": stored.decode() if stored else None,
            "heard": self.heard,
            "password": len(self.config.password),
            "right": self.config.password == "".join(reversed("{password}")),
            "variable": self.config.variable,
            "secret": len(self.host.secrets.get("token")),
        })

    def on_event(self, event: Event) -> None:
        self.heard.append(f"{event.topic} {event.data.get('text', '')}")
"""

UPPER = """
from collections.abc import AsyncIterator
from plugbay.sdk import BodyFilter, Plugin, Request, Response

class Main(Plugin[None], BodyFilter):
    async def request_body(
        self, request: Request, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk.replace(b"secret", b"******")

    async def response_body(
        self, request: Request, response: Response, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk.upper()
"""


def push(gateway: Gateway, id: str, version: str, source: str, manifest: str) -> Path:
    """Write a version of a plugin and upload it."""
    text = source.replace("{version}", version)
    project = write_plugin(gateway.folder / f"{id}-{version}", id, version, text, manifest)
    gateway.push(project)
    return project
