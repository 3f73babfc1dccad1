"""An HKP key server (draft-gallagher-openpgp-hkp) on SQLite."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from plugbay.sdk import AsgiApp, Plugin

from ._certificate import BadKey, read_certificates
from ._lookup import Lookup, parse_lookup
from ._pages import Answer, armored, index_page, machine_index, problem, text
from ._store import KeyStore
from ._submission import TooMuch, keytext

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Config:
    """What is taken and given out. `max_bytes` is of a submission, armor and all."""

    max_bytes: int = 1_000_000
    max_keys: int = 10
    max_packets: int = 5_000
    max_results: int = 100


class KeyServer(Plugin[Config], AsgiApp):
    """Serves `/pks/lookup`, `/pks/add` and `/pks/stats`.

    The database lies in the plugin's own directory: all workers and generations share it.
    """

    async def start(self) -> None:
        """Open the database, off the event loop."""
        self.store = await asyncio.to_thread(KeyStore, self.host.data_dir / "keys.sqlite3")
        self.asked = self.host.metrics.counter("requests_total", "Requests.", ("operation",))

    async def stop(self) -> None:
        """Close it; a start that failed has none."""
        if hasattr(self, "store"):
            await asyncio.to_thread(self.store.close)

    async def health(self) -> None:
        """Ask the database."""
        await asyncio.to_thread(self.store.count)

    async def app(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3)."""
        if scope["type"] != "http":
            return
        answer = await self._answer(scope, receive)
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": answer.fields()}
        )
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        method, path = str(scope["method"]), str(scope["path"]).rstrip("/")
        if path.endswith("/add"):
            return await self._add(receive) if method == "POST" else problem(405, "POST a key")
        if method not in ("GET", "HEAD"):
            return problem(405, "this is only read")
        if path.endswith("/stats"):
            return await self._stats()
        if path.endswith("/lookup"):
            return await self._lookup(parse_lookup(bytes(scope["query_string"])))
        return problem(404, "ask /pks/lookup, /pks/add or /pks/stats")

    async def _lookup(self, lookup: Lookup) -> Answer:
        self.asked.inc(operation=lookup.operation or "none")
        if lookup.operation == "stats":
            return await self._stats()
        if lookup.operation not in ("get", "index", "vindex"):
            return problem(501, "op is get, index, vindex or stats")
        if lookup.problem:
            return problem(400, lookup.problem)
        most = self.config.max_results
        found = await asyncio.to_thread(self.store.find, lookup.by, lookup.value, most)
        if not found:
            return problem(404, "no such key")
        if lookup.operation == "get":
            return await asyncio.to_thread(armored, found)
        if lookup.machine_readable:
            return await asyncio.to_thread(machine_index, found)
        return await asyncio.to_thread(index_page, found, verbose=lookup.operation == "vindex")

    async def _add(self, receive: Receive) -> Answer:
        self.asked.inc(operation="add")
        config = self.config
        try:
            data = await keytext(receive, config.max_bytes)
            keys = await asyncio.to_thread(
                read_certificates, data, keys=config.max_keys, packets=config.max_packets
            )
        except TooMuch as error:
            return problem(413, str(error))
        except BadKey as error:
            return problem(400, str(error))
        lines: list[str] = []
        for key in keys:
            change = await asyncio.to_thread(self.store.add, key)
            self.host.events.publish(f"storage.key.{change}", fingerprint=key.fingerprint)
            lines.append(f"{key.fingerprint} {change.replace('_', ' ')}")
        return text("\n".join(lines) + "\n")

    async def _stats(self) -> Answer:
        self.asked.inc(operation="stats")
        count = await asyncio.to_thread(self.store.count)
        return text(f'{{"keys": {count}, "version": "{self.host.version}"}}\n', "application/json")
