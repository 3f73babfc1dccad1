"""Plugins that misbehave: most of them by their configuration, so that the trial passes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench._gateway import Gateway, write_plugin

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = "bad"
PROVIDES = 'provides = ["request-filter", "response-filter"]\n'

SOURCE = """
import asyncio
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from plugbay.sdk import Plugin, Request, RequestFilter, Response, ResponseFilter

if Path("{switch}").exists():
    raise RuntimeError("the library is not on this machine")

KEPT: list[object] = []


@dataclass(frozen=True, slots=True)
class Config:
    mode: str = ""
    note: str = "first"


class Main(Plugin[Config], RequestFilter, ResponseFilter):
    calls = 0
    since = 0.0

    async def start(self) -> None:
        self.since = self.host.now()
        match self.config.mode:
            case "start":
                raise RuntimeError("no database")
            case "thread":
                threading.Thread(target=self._poll, name="forgotten", daemon=True).start()
            case "task":
                KEPT.append(asyncio.create_task(self._wait(), name="forgotten"))
            case "file":
                KEPT.append(os.open("/dev/null", os.O_RDONLY))

    async def _wait(self) -> None:
        while True:
            await asyncio.sleep(1)

    def _poll(self) -> None:
        while True:
            time.sleep(1)

    async def health(self) -> None:
        if self.config.mode == "health":
            raise RuntimeError("not well from the start")
        if self.config.mode == "sick" and self.host.now() - self.since > 1.0:
            raise RuntimeError("not well any more")

    def on_request(self, request: Request) -> Response | None:
        self.calls += 1
        if self.config.mode == "raise" and self.calls % 10 == 0:
            raise ValueError("the tenth request")
        if self.config.mode == "block":
            time.sleep(0.3)
        while self.config.mode == "hang":
            pass
        return None

    def on_response(self, request: Request, response: Response) -> Response | None:
        response.headers.set("x-stamp", "{version}")
        response.headers.set("x-note", self.config.note)
        return None
"""

IMPORT = "import no_such_library\n" + SOURCE
EXIT = SOURCE.replace("self.since = self.host.now()", "os._exit(0)")

POLICY = """
[policy]
hang_seconds = 3.0
health_interval = 0.3
health_timeout = 10.0
health_failures = 2
"""
"""Settings under which a plugin is found out soon."""


def switch(gateway: Gateway) -> Path:
    """The file whose presence makes every import of the plugin fail."""
    return gateway.folder / "switch"


def project(gateway: Gateway, version: str, source: str = SOURCE) -> Path:
    """Write a version of the plugin."""
    text = source.replace("{version}", version).replace("{switch}", str(switch(gateway)))
    return write_plugin(gateway.folder / f"bad-{version}", PLUGIN, version, text, PROVIDES)
