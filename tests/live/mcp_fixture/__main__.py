"""An MCP server on the official SDK with all that the official conformance suite asks for.

    python mcp_fixture stdio | PORT

The names and texts are the suite's. What is constant stands in tables; only what talks back to
the client is code.
"""

from __future__ import annotations

import socket
import sys
import warnings

import uvicorn
from asking import ASKING
from content import CONSTANT, RESOURCES, constant
from events import Events
from mcp.server.mcpserver import MCPServer, RequestStateSecurity
from parts import add_changes, add_handlers, add_prompts, add_strict_schema, add_template
from talking import TALKING

# The suite also asks for what the newest protocol has deprecated.
warnings.simplefilter("ignore")


def build() -> MCPServer:
    """Return the server."""
    security = RequestStateSecurity(keys=[b"a key of a test, known to everybody who reads it"])
    server = MCPServer(name="plugbay-fixture", version="1.0.0", request_state_security=security)
    for name, content in CONSTANT.items():
        server.add_tool(constant(content), name=name, description="Always the same.")
    for tool in (*TALKING, *ASKING):
        server.add_tool(tool, description=tool.__doc__)
    for uri, content in RESOURCES.items():
        server.resource(uri, description="Always the same.")(constant(content))
    for add in (add_strict_schema, add_changes, add_template, add_prompts, add_handlers):
        add(server)
    return server


def main(how: str) -> None:
    """Serve until the end."""
    if how == "stdio":
        build().run("stdio")
        return
    app = build().streamable_http_app(event_store=Events(), retry_interval=100)
    # h11, for httptools leaves white space behind the values of header fields, and the SDK minds.
    server = uvicorn.Server(uvicorn.Config(app, http="h11", log_level="warning"))
    with socket.create_server(("127.0.0.1", int(how))) as listener:
        print(listener.getsockname()[1], flush=True)  # noqa: T201 - whoever said 0 wants to know
        server.run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
