"""What an operator says of MCP servers that Plugbay runs, and of federations: plain values.

Durations are in seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from plugbay.kernel import Problem
from plugbay.mcp.process._restarts import RestartPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?")
SEPARATOR = "__"
"""Between a member's prefix and a name; no prefix has it inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """An MCP server that speaks over stdio, as a process of the gateway's.

    It gets a plain environment (`PATH`, `HOME`, `LANG` and the like) and `env`, whose values may
    refer to `${secret:name}` and `${env:NAME}`. Clients with sessions (up to 2025-11-25) have a
    process each; those without (2026-07-28) share one.
    """

    name: str
    command: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict[str, str])
    directory: str = ""
    restart: Literal["never", "on-failure", "always"] = "always"
    crashes: int = 5
    """So many crashes within `crash_window` open the breaker for `crash_rest`."""
    crash_window: float = 60.0
    crash_rest: float = 30.0
    max_sessions: int = 64
    max_requests: int = 256
    """In flight, of one session or of all clients without sessions."""
    max_message: int = 16 * 1024 * 1024
    idle: float = 1800.0
    """A session that is not used for so long ends, and so does the shared process."""
    replay_bytes: int = 1024 * 1024
    """Of a session's events, kept for a client that comes back for them (`Last-Event-ID`), and one
    event more; 0: none."""
    replay_seconds: float = 300.0
    origins: tuple[str, ...] = ()
    """Origins of browsers that may call it, such as `https://app.example.com`; local ones may."""

    @property
    def policy(self) -> RestartPolicy:
        """When it is started again."""
        return RestartPolicy(
            restart=self.restart,
            crashes=self.crashes,
            window=self.crash_window,
            rest=self.crash_rest,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpec:
    """A server in a federation: `server` names one of `[[mcp.servers]]`, or `url` leads to one
    over HTTP, whose `headers` may refer to secrets. `prefix` is before the names of its tools and
    prompts, and never changes by itself; empty: the server's name."""

    server: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    prefix: str = ""

    @property
    def name(self) -> str:
        """What comes before the names of its tools."""
        return self.prefix or self.server


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationSpec:
    """Several servers as one. While a member is down, `degrade` lists what the others have and
    says whose part is missing; `refuse` answers lists with an error instead."""

    name: str
    members: tuple[MemberSpec, ...]
    when_down: Literal["degrade", "refuse"] = "degrade"
    max_sessions: int = 64
    max_requests: int = 256
    max_message: int = 16 * 1024 * 1024
    idle: float = 1800.0
    replay_bytes: int = 1024 * 1024
    replay_seconds: float = 300.0
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class McpSpec:
    """All MCP servers that the gateway runs, and all federations."""

    servers: tuple[ServerSpec, ...] = ()
    federations: tuple[FederationSpec, ...] = ()

    @property
    def endpoints(self) -> tuple[ServerSpec | FederationSpec, ...]:
        """What a route may lead to."""
        return (*self.servers, *self.federations)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of these."""
        return tuple(one.name for one in self.endpoints)


def problems_of(
    spec: McpSpec, upstreams: Sequence[str], *, by_name: bool = False
) -> Iterator[Problem]:
    """Yield what is wrong; `upstreams` are the names that are taken already. Pointers have the
    places of servers and federations in `spec`, or their names where only these are known."""
    taken = set(upstreams)
    servers = {server.name for server in spec.servers}
    kinds: tuple[tuple[str, Sequence[ServerSpec | FederationSpec]], ...] = (
        ("servers", spec.servers),
        ("federations", spec.federations),
    )
    for kind, found in kinds:
        for index, one in enumerate(found):
            at = _at(kind, index, one.name, by_name)
            if not NAME.fullmatch(one.name):
                yield Problem(f"{at}/name", "no name", NAME.pattern, one.name)
            if one.name in taken:
                yield Problem(f"{at}/name", "the name is used twice", found=one.name)
            taken.add(one.name)
            yield from _above(at, one, ("max_sessions", "max_requests", "max_message", "idle"))
    for index, server in enumerate(spec.servers):
        at = _at("servers", index, server.name, by_name)
        if not server.command:
            yield Problem(f"{at}/command", "there is no command", "a program", "nothing")
        yield from _above(at, server, ("crashes", "crash_window", "crash_rest"))
    for index, federation in enumerate(spec.federations):
        at = _at("federations", index, federation.name, by_name)
        yield from _members(f"{at}/members", federation, servers)


def _at(kind: str, index: int, name: str, by_name: bool) -> str:
    """Return a JSON Pointer (RFC 6901)."""
    escaped = name.replace("~", "~0").replace("/", "~1")
    return f"/mcp/{kind}/{escaped if by_name else index}"


def _above(at: str, one: ServerSpec | FederationSpec, limits: Sequence[str]) -> Iterator[Problem]:
    for limit in limits:
        value = getattr(one, limit)
        if value <= 0:
            yield Problem(f"{at}/{limit}", "a limit is more than 0", "more than 0", str(value))


def _members(at: str, federation: FederationSpec, servers: set[str]) -> Iterator[Problem]:
    prefixes: set[str] = set()
    if not federation.members:
        detail = "a federation needs at least one member"
        yield Problem(at, detail, "a server's name or a URL", "none")
    for index, member in enumerate(federation.members):
        here = f"{at}/{index}"
        if bool(member.server) == bool(member.url):
            yield Problem(here, "it needs either server or url")
        if member.server and member.server not in servers:
            yield Problem(f"{here}/server", "no such server", ", ".join(servers), member.server)
        if member.url and not member.url.startswith(("http://", "https://")):
            yield Problem(f"{here}/url", "not a URL", "http://… or https://…", member.url)
        if not NAME.fullmatch(member.name):
            yield Problem(f"{here}/prefix", "no prefix", NAME.pattern, member.name)
        if member.name in prefixes:
            detail = "two members have the same prefix: their tools could not be told apart"
            yield Problem(f"{here}/prefix", detail, found=member.name)
        prefixes.add(member.name)
