"""An MCP server on the official Python SDK with one tool, over stdio or HTTP."""

from __future__ import annotations

import sys

from mcp.server.mcpserver import MCPServer


def build() -> MCPServer:
    """Make it."""
    server = MCPServer("bench", log_level="ERROR")

    @server.tool()
    def echo(message: str) -> str:
        """Return what was said."""
        return message

    return server


def http() -> None:
    """Serve on a free port, and say which."""
    import socket

    import uvicorn

    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    app = build().streamable_http_app()
    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_keep_alive=600)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    if "http" in sys.argv:
        http()
    else:
        build().run("stdio")
