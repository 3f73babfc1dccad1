"""Makes what is behind the endpoints of MCP: processes of servers, and federations of several."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from plugbay.app._references import References
from plugbay.kernel import Unavailable
from plugbay.mcp import KeptServer, ServerCommand, crash_breaker
from plugbay.mcp.serving import Federation, HttpBackend, ServerSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plugbay.kernel import CircuitBreaker, Clock, Randomness
    from plugbay.mcp import Notice, Owner
    from plugbay.mcp.serving import FederationSpec, MakeBackend, McpSpec, MemberSpec

PLAIN = ("PATH", "HOME", "LANG", "LC_ALL", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TZ", "USER")
"""Variables that a server gets of ours: none that could hold a secret."""


class Backends:
    """Makes backends. All processes of one server share a breaker."""

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
        self._servers = {server.name: server for server in spec.servers}
        self._breakers: dict[str, CircuitBreaker] = {
            server.name: crash_breaker(server.policy, clock) for server in spec.servers
        }

    def maker(self, spec: ServerSpec | FederationSpec) -> MakeBackend:
        """Return what makes a backend for each session of an endpoint."""
        if isinstance(spec, ServerSpec):
            return lambda owner: self._server(spec, owner)
        return lambda owner: self._federation(spec, owner)

    def _server(self, spec: ServerSpec, owner: Owner) -> KeptServer:
        return KeptServer(
            ServerCommand(
                name=spec.name,
                command=(spec.command, *spec.args),
                env=lambda: self._environment(spec),
                directory=spec.directory or None,
                bound=True,
            ),
            spec.policy,
            self._breakers[spec.name],
            owner,
            notice=self._notice,
            clock=self._clock,
            randomness=self._randomness,
            max_message=spec.max_message,
        )

    def _federation(self, spec: FederationSpec, owner: Owner) -> Federation:
        makers = {member.name: self._member(member) for member in spec.members}
        return Federation(spec, makers, owner)

    def _member(self, member: MemberSpec) -> MakeBackend:
        if member.server:
            return self.maker(self._servers[member.server])

        def headers() -> Mapping[str, str]:
            return self._filled(f"the member {member.name}", member.headers)

        return lambda owner: HttpBackend(member.url, headers, owner, self._randomness)

    def _environment(self, spec: ServerSpec) -> Mapping[str, str]:
        plain = {name: os.environ[name] for name in PLAIN if name in os.environ}
        return {**plain, **self._filled(f"the MCP server {spec.name}", spec.env)}

    def _filled(self, what: str, values: Mapping[str, str]) -> Mapping[str, str]:
        try:
            return cast("Mapping[str, str]", self._references.fill(dict(values)))
        except KeyError as error:
            raise Unavailable(f"{what} refers to what is not there: {error.args[0]}") from None
