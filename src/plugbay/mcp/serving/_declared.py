"""Whether the `Mcp-Param-*` fields of a call say what its arguments say.

MCP 2026-07-28, transports: Streamable HTTP. Only the server's list of tools tells which fields
there are, so whoever serves a server over HTTP has to ask it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from plugbay.mcp._codec import encode, read_envelope
from plugbay.mcp._json import as_array, as_object, result_of
from plugbay.mcp.http._param_headers import PREFIX, ParamHeaders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.mcp._codec import Envelope
    from plugbay.mcp.serving._stream import Stream

_log = logging.getLogger("plugbay.mcp")
SECONDS = 5.0
"""Seconds that a server has for a page of its list; without one nothing is compared."""
PAGES = 100


class Asks(Protocol):
    """Takes requests; `Shared` does."""

    async def ask(self, raw: bytes, envelope: Envelope) -> Stream:
        """Send a request on, and return what its response carries."""
        ...


class Declared:
    """Knows a server's tools from when their fields first mattered."""

    def __init__(self, server: Asks) -> None:
        self._server, self._params = server, ParamHeaders()
        self._listed = 0
        self._listing = asyncio.Lock()

    async def mismatch(self, fields: Mapping[str, str], params: Mapping[str, Any]) -> str:
        """Return what does not agree in a call; empty if nothing.

        A list may be old: what does not agree with it is held against a fresh one.
        """
        name, arguments = str(params.get("name", "")), as_object(params.get("arguments"))
        if not arguments and not any(field.startswith(PREFIX) for field in fields):
            return ""
        seen = self._listed
        if seen and not self._params.mismatch(name, fields, arguments):
            return ""
        async with self._listing:
            if self._listed == seen:  # nobody has asked while we waited
                await self._list(as_object(params.get("_meta")))
        return self._params.mismatch(name, fields, arguments)

    async def _list(self, meta: Mapping[str, Any]) -> None:
        kept = {key: meta[key] for key in meta if key.startswith("io.modelcontextprotocol/")}
        params: dict[str, Any] = {"_meta": kept}
        found: list[dict[str, Any]] = []
        for _ in range(PAGES):
            page = await self._page(params)
            if page is None:
                _log.warning("a server does not list its tools: header fields are not compared")
                return
            found += map(as_object, as_array(page.get("tools")))
            if page.get("nextCursor") is None:
                break
            params["cursor"] = page["nextCursor"]
        self._params.learn(found)
        self._listed += 1

    async def _page(self, params: Mapping[str, Any]) -> dict[str, Any] | None:
        body = {"jsonrpc": "2.0", "id": "tools", "method": "tools/list", "params": params}
        raw = encode(body)
        stream = await self._server.ask(raw, read_envelope(raw))
        reader = stream.attach()
        while (came := await stream.next(SECONDS, reader)) is not None:
            if came[1]:
                return result_of(came[0]) or None
        return None
