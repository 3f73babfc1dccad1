"""Makes what is behind the endpoints of MCP: processes of servers, and federations of several."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from plugbay.app._references import References
from plugbay.app.mcp._environment import filled, plain_environment
from plugbay.kernel import BreakerState, Unavailable
from plugbay.mcp import KeptServer, ServerCommand, crash_breaker
from plugbay.mcp.serving import Federation, HttpBackend, ServerSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plugbay.kernel import CircuitBreaker, Clock, Randomness
    from plugbay.mcp import Notice, Owner
    from plugbay.mcp.serving import FederationSpec, MakeBackend, McpSpec, MemberSpec


class Backends:
    """Makes backends. All processes of one server share a breaker, for as long as its settings
    stay as they are."""

    def __init__(
        self,
        spec: McpSpec,
        secrets: Path,
        *,
        notice: Notice,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._references, self._notice = References(secrets), notice
        self._clock, self._randomness = clock, randomness
        self._servers: dict[str, ServerSpec] = {}
        self._breakers: dict[str, CircuitBreaker] = {}
        self._kept: dict[str, WeakSet[KeptServer]] = {}
        self.change(spec)

    def change(self, spec: McpSpec) -> None:
        """Make backends of these servers from now on."""
        names, kept = set(spec.names), self._servers
        self._kept = {name: self._kept[name] for name in self._kept.keys() & names}
        self._servers = {server.name: server for server in spec.servers}
        self._breakers = {
            name: self._breakers[name]
            if kept.get(name) == server
            else crash_breaker(server.policy, self._clock)
            for name, server in self._servers.items()
        }

    def broken(self, server: str) -> bool:
        """Whether the server has crashed so often that it is not started."""
        breaker = self._breakers.get(server)
        return breaker is not None and breaker.state is BreakerState.OPEN

    def kept(self, server: str) -> tuple[KeptServer, ...]:
        """Return what runs a server, for its own clients and in federations."""
        return tuple(self._kept.get(server, ()))

    def restart(self, server: str) -> None:
        """End the processes of a server and start others, also while it rests."""
        if server in self._breakers:
            self._breakers[server].reset()
        for one in self.kept(server):
            one.restart()

    def maker(self, spec: ServerSpec | FederationSpec) -> MakeBackend:
        """Return what makes a backend for each session of an endpoint."""
        if isinstance(spec, ServerSpec):
            breaker = self._breakers[spec.name]
            return lambda owner: self._server(spec, breaker, owner)
        members = {member.name: self._member(member) for member in spec.members}
        return lambda owner: Federation(spec, members, owner)

    def _server(self, spec: ServerSpec, breaker: CircuitBreaker, owner: Owner) -> KeptServer:
        made = KeptServer(
            ServerCommand(
                name=spec.name,
                command=(spec.command, *spec.args),
                env=lambda: self._environment(spec),
                directory=spec.directory or None,
                bound=True,
            ),
            spec.policy,
            breaker,
            owner,
            notice=self._notice,
            clock=self._clock,
            randomness=self._randomness,
            max_message=spec.max_message,
        )
        self._kept.setdefault(spec.name, WeakSet()).add(made)
        return made

    def _member(self, member: MemberSpec) -> MakeBackend:
        if member.server:
            return self.maker(self._servers[member.server])

        def headers() -> Mapping[str, str]:
            return self._fill(f"the member {member.name}", member.headers)

        return lambda owner: HttpBackend(member.url, headers, owner, self._randomness)

    def _environment(self, spec: ServerSpec) -> Mapping[str, str]:
        return {**plain_environment(), **self._fill(f"the MCP server {spec.name}", spec.env)}

    def _fill(self, what: str, values: Mapping[str, str]) -> Mapping[str, str]:
        try:
            return filled(self._references, values)
        except KeyError as error:
            raise Unavailable(f"{what} refers to what is not there: {error.args[0]}") from None
