"""The official MCP conformance suite: directly, and through the gateway with 0 and with 5 plugins.

    python scripts/mcp_conformance.py

The totals must be the same. So must be those of the same fixture over stdio, which the gateway runs
itself, but for two checks of 2025-11-25 and one of the older suite that ask for what such a server
cannot do, and are optional: it cannot close the stream of a call that goes on (SEP-1699,
`server-sse-disconnect-resume`), and what is answered by one message is answered as JSON
(`server-sse-multiple-streams`). The suite comes from npm into build/npm; Node comes with the
development environment. It also holds the wrapper's output against the server's own, byte for
byte, by the official inspector.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
NPM = ROOT / "build" / "npm"
FIXTURE = ROOT / "tests" / "live" / "mcp_fixture"
PACKAGES = (
    "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "conformance-0.1@npm:@modelcontextprotocol/conformance@0.1.16",
    "@modelcontextprotocol/inspector@2.12.0",
)
NEW = NPM / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
OLD = NPM / "node_modules/conformance-0.1/dist/index.js"
SUITES = {
    "2025-11-25": (NEW, "--suite", "all", "--spec-version", "2025-11-25"),
    "2026-07-28": (NEW, "--suite", "all", "--spec-version", "2026-07-28"),
    "0.1.16": (OLD,),
}
OPTIONAL = {"2025-11-25": 2, "2026-07-28": 0, "0.1.16": 1}
"""Checks of each suite that no server over stdio can pass, and that it does not fail either."""
PLUGINS: dict[str, dict[str, object]] = {
    "console-logger": {},
    "recorder": {},
    "tool-policy": {"rules": [{"identity": "*"}]},
    "pins": {"mode": "warn"},
    "budget": {"calls": 1_000_000},
}
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def install() -> None:
    """Get the suite, once."""
    if not (NEW.exists() and OLD.exists()):
        NPM.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(NPM), *PACKAGES]
        subprocess.run(command, env=ENVIRONMENT, cwd=NPM, check=True)


def totals(url: str) -> Iterator[str]:
    """Yield what each suite says of a server."""
    for name, (script, *options) in SUITES.items():
        command = ["node", str(script), "server", "--url", url, *options]
        ran = subprocess.run(
            command, env=ENVIRONMENT, cwd=NPM, capture_output=True, text=True, check=False
        )
        found = re.search(r"Total: (.+)", ran.stdout)
        yield f"{name}: {found.group(1) if found else 'no result'}"
        for line in ran.stdout.splitlines():
            if line.startswith("✗"):
                print("   ", line)


def report(where: str, url: str) -> list[str]:
    """Run every suite and print the totals."""
    found = list(totals(url))
    print(f"{where:28}", "   ".join(found), flush=True)
    return found


def through_gateway(address: str) -> dict[str, list[list[str]]]:
    """Run every suite through a gateway without plugins, and with five; before a server over HTTP
    and before one over stdio."""
    from bench._gateway import Gateway

    settings = (
        f'[[upstreams]]\nname = "fixture"\n[[upstreams.targets]]\naddress = "{address}"\n'
        '[[routes]]\nname = "http"\npath = "/mcp"\nmcp = "fixture"\n'
        f'[[mcp.servers]]\nname = "hosted"\ncommand = "{sys.executable}"\n'
        f'args = ["{FIXTURE}", "stdio"]\n'
        '[[routes]]\nname = "stdio"\npath = "/stdio"\nmcp = "hosted"\n'
    )
    results: dict[str, list[list[str]]] = {"mcp": [], "stdio": []}
    with Gateway(settings=settings) as gateway:
        for plugins in (0, len(PLUGINS)):
            for name, config in PLUGINS.items() if plugins else ():
                artifact = gateway.push(ROOT / "plugins" / "mcp" / name)
                gateway.put(name, digest=artifact["digest"], config=config)
            for name, found in results.items():
                url = f"http://{gateway.address}/{name}"
                found.append(report(f"gateway, {name}, {plugins} plugins", url))
    return results


def over_stdio(direct: Sequence[str]) -> list[str]:
    """Return what a server over stdio must reach, where one over HTTP reaches `direct`."""

    def less(found: str) -> str:
        name, _, rest = found.partition(": ")
        passed, _, failed = rest.partition(" ")
        return f"{name}: {int(passed) - OPTIONAL[name]} {failed}"

    return [less(found) for found in direct]


def inspect(command: Sequence[str], method: str) -> str:
    """Return the hash of what the inspector prints of a server over stdio."""
    script = NPM / "node_modules" / ".bin" / "mcp-inspector"
    line = [str(script), "--cli", "--method", method, "--", *command]
    ran = subprocess.run(line, env=ENVIRONMENT, cwd=NPM, capture_output=True, check=True)
    return hashlib.sha256(ran.stdout).hexdigest()


def inspected() -> bool:
    """Whether the wrapper's output is the server's own, byte for byte."""
    server = [sys.executable, str(FIXTURE), "stdio"]
    wrapped = [sys.executable, "-m", "plugbay", "monitor", "-p", "console-logger", "--", *server]
    same = True
    for method in ("tools/list", "prompts/list", "resources/list"):
        equal = inspect(server, method) == inspect(wrapped, method)
        print(f"inspector {method:16}", "byte for byte the same" if equal else "DIFFERENT")
        same = same and equal
    return same


def main() -> None:
    """Run all, and exit with 1 if anything differs."""
    install()
    command = [sys.executable, str(FIXTURE), "0"]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, text=True)
    try:
        port = int((server.stdout or sys.stdin).readline())
        direct = report("direct", f"http://127.0.0.1:{port}/mcp")
        found = through_gateway(f"127.0.0.1:{port}")
        same = all(one == direct for one in found["mcp"])
        same = all(one == over_stdio(direct) for one in found["stdio"]) and same
    finally:
        server.terminate()
        server.wait()
    same = inspected() and same
    sys.exit(not same)


if __name__ == "__main__":
    main()
