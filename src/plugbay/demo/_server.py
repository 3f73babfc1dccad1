"""Runs the sample upstream by uvicorn."""

from __future__ import annotations

import socket
import sys

import uvicorn

from plugbay.demo._app import Demo


def serve(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Prints `http://host:port` once it listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=1024) as listener:
        sys.stdout.write(f"http://{address(listener)}\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            Demo(),
            http="httptools",
            ws="wsproto",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        uvicorn.Server(config).run(sockets=[listener])


def address(listener: socket.socket) -> str:
    """Return `host:port` as it is written in a URI (RFC 3986, 3.2.2)."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
