"""The tools of an MCP server or of a federation, asked for once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from plugbay.app._clock import SystemClock
from plugbay.app.mcp._backends import Backends
from plugbay.kernel import Invalid, NotFound, Unavailable
from plugbay.mcp import KeptServer, RestartPolicy, ServerCommand, crash_breaker
from plugbay.mcp.serving import (
    UNAVAILABLE,
    FederationMember,
    HttpBackend,
    MemberDown,
    MemberRefused,
    as_array,
    as_object,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from plugbay.mcp.serving import MakeBackend, McpSpec

VERSION = "2025-11-25"
PAGES = 1000
"""Pages of a list at most: a server may never end one."""


async def tools_of_command(command: Sequence[str]) -> dict[str, Any]:
    """Start a server and return its tools. Raises `Unavailable`."""
    policy, clock = RestartPolicy(restart="never"), SystemClock()
    return await _tools(
        lambda owner: KeptServer(
            ServerCommand(name=command[0], command=tuple(command)),
            policy,
            crash_breaker(policy, clock),
            owner,
            notice=_unheard,
            clock=clock,
            randomness=random.SystemRandom(),
            stderr=False,
        )
    )


async def tools_of_url(url: str) -> dict[str, Any]:
    """Return the tools of a server over HTTP. Raises `Invalid`, `Unavailable`."""
    if not url.startswith(("http://", "https://")):
        raise Invalid(f"{url!r}: expected a URL, e.g. http://127.0.0.1:3001/mcp")
    randomness = random.SystemRandom()
    return await _tools(lambda owner: HttpBackend(url, dict, owner, randomness))


async def tools_of_name(name: str, spec: McpSpec, data: Path) -> dict[str, Any]:
    """Return the tools of what the settings name so. Raises `NotFound` and `Unavailable`."""
    for one in spec.endpoints:
        if one.name == name:
            backends = Backends(
                spec,
                data / "secrets",
                notice=_unheard,
                clock=SystemClock(),
                randomness=random.SystemRandom(),
            )
            return await _tools(backends.maker(one))
    known = ", ".join(spec.names) or "none is there"
    raise NotFound(f"the settings name no MCP server or federation {name!r}: {known}")


def _unheard(what: str, server: str, **facts: object) -> None:
    """Whoever asks once does not care what becomes of the server."""


async def _tools(make: MakeBackend) -> dict[str, Any]:
    server = FederationMember("server", make, _Nobody())
    await server.start()
    try:
        return await _ask(server)
    except (MemberDown, MemberRefused) as error:
        raise Unavailable(f"the MCP server does not say what it has: {error}") from None
    finally:
        await server.backend.stop()


async def _ask(server: FederationMember) -> dict[str, Any]:
    client = {"name": "plugbay", "version": "1"}
    params = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": client}
    await server.request("initialize", params)
    await server.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    tools: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    cursor: dict[str, str] = {}
    for _ in range(PAGES):
        page = await server.request("tools/list", cursor)
        tools += as_array(page.get("tools"))
        for one in as_array(as_object(page.get("_meta")).get(UNAVAILABLE)):
            missing[one["server"]] = one["reason"]
        if page.get("nextCursor") is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    return {"tools": tools, "unavailable": missing}


class _Nobody:
    """Hears what a server says by itself, and answers nothing."""

    async def said(self, member: object, raw: bytes, envelope: object) -> None:
        """It does not matter."""

    async def answered(self, raw: bytes) -> None:
        """Nothing is forwarded."""

    async def unheard(self, member: object, number: int) -> None:
        """Nothing is subscribed to."""

    async def lost(self, member: object) -> None:
        """Whoever waits is told."""

    async def found(self, member: object) -> None:
        """It is too late."""
