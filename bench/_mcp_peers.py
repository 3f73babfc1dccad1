"""Other MCP proxies, each in a virtual environment of its own under build/peers, and npm servers.

They are no dependencies of the project: they are installed when a benchmark needs them.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench._gateway import wait_for

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "build" / "peers"
NPM = ROOT / "build" / "npm-servers"
VERSIONS = {
    "mcp-proxy": "mcp-proxy==0.13.0",
    "fastmcp": "fastmcp==4.1.2",
    "mcp-contextforge-gateway": "mcp-contextforge-gateway==1.0.7.post20260921",
    "mcp-server-time": "mcp-server-time==2026.10.19",
}
NPM_PACKAGES = (
    "@modelcontextprotocol/sdk@1.32.2",
    "@modelcontextprotocol/server-everything@2026.8.31",
    "@modelcontextprotocol/server-filesystem@2026.8.31",
)
NODE = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def environment(name: str) -> Path:
    """Return the folder of a peer's programs, installed if it is not there yet."""
    folder = PEERS / name
    stamp = folder / VERSIONS[name]
    if not stamp.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", VERSIONS[name]]
        subprocess.run([*pip, "--disable-pip-version-check"], check=True)
        stamp.touch()
    return folder / "bin"


def npm(package: str) -> Path:
    """Return the folder of an npm package, installed if it is not there yet."""
    folder = NPM / "node_modules" / package
    if not folder.exists():
        NPM.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(NPM)]
        subprocess.run([*command, *NPM_PACKAGES], env=NODE, cwd=NPM, check=True)
    return folder


def node(package: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of a server from npm."""
    folder = npm(f"@modelcontextprotocol/{package}")
    program = str(Path(sys.executable).with_name("node"))
    return (program, str(folder / "dist" / "index.js"), *arguments)


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(command: Sequence[str], port: int, **env: str) -> Generator[subprocess.Popen[bytes]]:
    """Start a server and wait until it listens; stop it at the end. Raises `RuntimeError`."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+b") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env={**NODE, **env})

        def listens() -> bool:
            if process.poll() is not None:
                log.seek(0)
                raise RuntimeError(f"it has ended: {log.read()[-300:].decode(errors='replace')}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        try:
            wait_for(f"{command[0]} listens", listens, seconds=120)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def fastmcp(target: str | Sequence[str], port: int = 0) -> tuple[str, ...]:
    """Return the command of its proxy, to an address or a command; over stdio without a port."""
    server = {"url": target} if isinstance(target, str) else _command(target)
    how = f"transport='http', host='127.0.0.1', port={port}, path='/mcp', " if port else ""
    code = (
        "from fastmcp.server import create_proxy; import logging; logging.disable();"
        f"create_proxy({json.dumps({'mcpServers': {'default': server}})}).run("
        f"{how}show_banner=False)"
    )
    return (str(environment("fastmcp") / "python"), "-c", code)


def _command(words: Sequence[str]) -> dict[str, object]:
    return {"command": words[0], "args": list(words[1:])}


def mcp_proxy(command: Sequence[str], port: int) -> tuple[str, ...]:
    """Return the command that puts a stdio server behind HTTP."""
    program = str(environment("mcp-proxy") / "mcp-proxy")
    own = ("--port", str(port), "--pass-environment", "--log-level", "ERROR")
    return (program, *own, "--", *command)


@dataclass(frozen=True, slots=True)
class ContextForge:
    """A running one: its process, its headers, and what it calls the tool `echo`."""

    pid: int
    headers: Mapping[str, str]
    tool: str


@contextlib.contextmanager
def context_forge(url: str, port: int) -> Generator[ContextForge]:
    """Start it before a server. Raises `RuntimeError` if it does not work."""
    password, secret = "Bench-Only-Pw-7531", "bench-only-0123456789abcdef-0123456789abcdef"
    env = {
        "DATABASE_URL": "sqlite:///./forge.db",
        "AUTH_REQUIRED": "true",
        "PLATFORM_ADMIN_EMAIL": "admin@example.com",
        "PLATFORM_ADMIN_PASSWORD": password,
        "DEFAULT_USER_PASSWORD": password,
        "BASIC_AUTH_PASSWORD": password,
        "JWT_SECRET_KEY": secret,
        "AUTH_ENCRYPTION_SECRET": secret[::-1],
        "RATE_LIMITING_ENABLED": "false",
        "PLUGINS_ENABLED": "false",
        "SSRF_ALLOW_LOCALHOST": "true",
        "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
        "SSRF_PROTECTION_ENABLED": "false",
        "PASSWORD_CHANGE_ENFORCEMENT_ENABLED": "false",
        "ADMIN_REQUIRE_PASSWORD_CHANGE_ON_BOOTSTRAP": "false",
        "LOG_LEVEL": "ERROR",
    }
    program = str(environment("mcp-contextforge-gateway") / "mcpgateway")
    with serving((program, "--host", "127.0.0.1", "--port", str(port)), port, **env) as process:
        base = f"http://127.0.0.1:{port}"
        login = {"email": "admin@example.com", "password": password}
        token = _post(f"{base}/auth/login", login, {})["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        server = {"name": "bench", "url": url, "transport": "STREAMABLEHTTP"}
        _post(f"{base}/gateways", server, headers)
        tools = _get(f"{base}/tools", headers)
        (tool,) = [one["name"] for one in tools if one["name"].endswith("echo")]
        yield ContextForge(process.pid, headers, tool)


def _post(url: str, body: object, headers: Mapping[str, str]) -> Any:
    data = json.dumps(body).encode()
    kind = {"content-type": "application/json"}
    return _open(urllib.request.Request(url, data, {**kind, **headers}))  # noqa: S310 -- our own


def _get(url: str, headers: Mapping[str, str]) -> Any:
    return _open(urllib.request.Request(url, headers=dict(headers)))  # noqa: S310 -- our own


def _open(request: urllib.request.Request) -> Any:
    for left in range(20, -1, -1):
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 -- our own
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code < 500 or not left:
                raise RuntimeError(f"{request.full_url}: {error.read()[:300]!r}") from error
        except OSError as error:
            if not left:
                raise RuntimeError(f"{request.full_url}: {error}") from error
        time.sleep(0.5)
    raise AssertionError
