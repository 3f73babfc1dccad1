"""The families of MCP servers that the gateway runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.observability._registry import Registry


class McpMetrics:
    """Counts what becomes of servers, by their names."""

    def __init__(self, registry: Registry) -> None:
        self._starts = registry.counter(
            "plugbay_mcp_server_starts_total",
            "Processes of an MCP server that were started, `restart` or not.",
            ("server", "restart"),
        )
        self._exits = registry.counter(
            "plugbay_mcp_server_exits_total",
            "Processes of an MCP server that ended by themselves.",
            ("server",),
        )
        self._breaker = registry.gauge(
            "plugbay_mcp_breaker_open",
            "1 while an MCP server has crashed so often that it is not started.",
            ("server",),
        )
        self._sessions = registry.gauge(
            "plugbay_mcp_sessions",
            "Sessions of clients with an MCP server or a federation.",
            ("server",),
        )

    def notice(self, what: str, server: str) -> None:
        """Count an event of a server."""
        if what in ("started", "restarted"):
            again = "true" if what == "restarted" else "false"
            self._starts.value(server, again).inc()
        elif what == "exited":
            self._exits.value(server).inc()
        elif what.startswith("breaker-"):
            self._breaker.value(server).set(float(what == "breaker-opened"))

    def forget(self, server: str) -> None:
        """It is not run any more: what was counted stays, how it was goes."""
        self._sessions.remove(server)
        self._breaker.remove(server)

    def sessions(self, server: str, count: int) -> None:
        """Set how many sessions there are."""
        self._sessions.value(server).set(count)
