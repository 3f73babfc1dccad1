"""An MCP server that does nothing but answer, over stdio or HTTP: what is measured is the way."""

from __future__ import annotations

import json
import sys
from typing import Any


def answer(message: dict[str, Any]) -> bytes:
    """Return the response to a request."""
    params = message.get("params", {})
    text = json.dumps(params.get("arguments", {}))
    result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": False}
    if message["method"] == "initialize":
        info = {"name": "bench", "version": "1"}
        version = params.get("protocolVersion", "2025-11-25")
        result = {"protocolVersion": version, "capabilities": {}, "serverInfo": info}
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()


def stdio() -> None:
    """Serve standard input and output."""
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" in message:
            out.write(answer(message) + b"\n")
            out.flush()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve Streamable HTTP: each response is a stream of one event."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        part = await receive()
        if part["type"] == "http.disconnect":
            return
        body, more = body + part.get("body", b""), part.get("more_body", False)
    message = json.loads(body)
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    status = 200 if "id" in message else 202
    await send({"type": "http.response.start", "status": status, "headers": headers})
    data = b"event: message\ndata: " + answer(message) + b"\n\n" if "id" in message else b""
    await send({"type": "http.response.body", "body": data})


def http() -> None:
    """Serve on the port that is named, or on a free one, and say which."""
    import socket

    import uvicorn

    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0))
    listener.listen(128)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        app, log_level="error", lifespan="off", access_log=False, timeout_keep_alive=600
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    (http if "http" in sys.argv else stdio)()
