"""Official MCP clients and servers through Plugbay: what comes out must be what comes out directly.

    python scripts/mcp_interop.py

Clients: the official Python and TypeScript SDKs. Servers: server-everything, server-filesystem and
mcp-server-time. Each client goes through the same steps with each server, directly, through the
stdio wrapper without and with plugins, and (where the server speaks HTTP) through a gateway's
route without and with plugins. Before a server over stdio that the gateway runs, the client's
connection is also cut in the middle of a call: it has to come back for the rest. What is not the
project's comes from npm and PyPI into build/.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from bench._gateway import Gateway

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
PLUGINS: dict[str, dict[str, object]] = {
    "console-logger": {},
    "recorder": {},
    "redact": {},
    "budget": {"calls": 1_000_000},
    "tool-policy": {"rules": [{"identity": "*"}]},
}
_CLOCK = re.compile(r"\d{1,2}:\d{2}:\d{2}(\.\d+)?( [AP]M)?|\d{4}-\d{2}-\d{2}T[0-9:.]+Z?")

Steps = list[list[Any]]
EVERYTHING: Steps = [
    ["ping"],
    ["tools"],
    ["prompts"],
    ["resources"],
    ["templates"],
    ["call", "echo", {"message": "h\u00e9llo \U0001f600 \u2028"}],
    ["call", "get-sum", {"a": 9007199254740991, "b": 0.1}],
    ["call", "get-tiny-image", {}],
    ["call", "get-structured-content", {"location": "Chicago"}],
    ["call", "get-resource-links", {"count": 3}],
    ["call", "get-annotated-message", {"messageType": "error", "includeImage": True}],
    ["call", "trigger-long-running-operation", {"duration": 1.3, "steps": 1}],  # silent
    ["progress", "trigger-long-running-operation", {"duration": 0.4, "steps": 4}],
    ["call", "trigger-sampling-request", {"prompt": "say something", "maxTokens": 10}],
    ["call", "trigger-elicitation-request", {}],
    ["call", "get-roots-list", {}],
    ["call", "echo", {}],
    ["call", "no-such-tool", {}],
    ["read", "demo://resource/static/document/features.md"],
    ["read", "demo://resource/dynamic/text/7"],
    ["read", "demo://resource/nothing"],
    ["prompt", "simple-prompt", {}],
    ["prompt", "args-prompt", {"city": "Paris", "state": "Texas"}],
    ["prompt", "no-such-prompt", {}],
]
TIME: Steps = [
    ["tools"],
    ["prompts"],
    [
        "call",
        "convert_time",
        {"source_timezone": "Asia/Tokyo", "time": "12:30", "target_timezone": "America/Lima"},
    ],
    ["call", "get_current_time", {"timezone": "Europe/Paris"}],
    ["call", "get_current_time", {"timezone": "Nowhere/Land"}],
]


def filesystem(folder: Path) -> Steps:
    """Return the steps in a folder of files."""
    (folder / "a.txt").write_text("one\ntwo\nthree\n")
    (folder / "c.txt").touch()
    (folder / "sub").mkdir()
    (folder / "sub" / "b.txt").write_text("\u00fc" * 100_000)
    return [
        ["tools"],
        ["call", "list_allowed_directories", {}],
        ["call", "directory_tree", {"path": str(folder)}],
        ["call", "read_text_file", {"path": str(folder / "a.txt"), "head": 2}],
        ["call", "read_text_file", {"path": str(folder / "sub" / "b.txt")}],
        ["call", "write_file", {"path": str(folder / "c.txt"), "content": "x" * 300_000}],
        ["call", "search_files", {"path": str(folder), "pattern": "*.txt"}],
        ["call", "read_text_file", {"path": "/etc/hostname"}],
        ["call", "move_file", {"source": str(folder / "no"), "destination": str(folder / "way")}],
    ]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a client connects to: a command or an address."""

    command: tuple[str, ...] = ()
    url: str = ""


def by_typescript(target: Target, steps: Steps) -> Any:
    """Go through the steps with the TypeScript SDK."""
    from bench._mcp_peers import NODE, npm

    sdk = npm("@modelcontextprotocol/sdk")
    where = {"url": target.url} if target.url else {"command": target.command}
    told = json.dumps({**where, "steps": steps})
    script = str(Path(__file__).with_suffix(".mjs"))
    command = ["node", script, str(sdk)]
    ran = subprocess.run(
        command, input=told, env=NODE, capture_output=True, text=True, timeout=180, check=False
    )
    if ran.returncode:
        raise RuntimeError(ran.stderr[-2000:])
    return json.loads(ran.stdout)


def by_python(target: Target, steps: Steps) -> Any:
    """Go through the steps with the Python SDK."""
    from scripts.mcp_interop_client import go

    return asyncio.run(go(target.url, target.command, steps))


CLIENTS = {"python": by_python, "typescript": by_typescript}

CUTS = {
    "behind an event": (b'"progress":2', True, 1),
    "within an event": (b'"progress":2', False, 1),  # it has to be told again
    "as each stream begins": (b"-0\nretry", True, 1000),
}
"""The words at which a connection is cut, whether behind what came with them, and how often."""


def same_text(found: Any) -> str:
    """Return what is compared: everything but the time of day, and the last step of a progress.

    The TypeScript SDK drops a step that it reads together with the result, directly, too.
    """
    if found[0] == "progress" and "seen" in found[2]:
        sure = [step for step in found[2]["seen"] if step[0] != step[1]]
        found = [*found[:2], {**found[2], "seen": sure}]
    return _CLOCK.sub("TIME", json.dumps(found, sort_keys=True))


def compare(title: str, steps: Steps, direct: Target, others: dict[str, Target]) -> bool:
    """Let both clients go all ways to a server, and say where a way differs."""
    good = True
    for name, client in CLIENTS.items():
        wanted = client(direct, steps)
        for way, target in others.items():
            good &= same(f"{title:12} {name:11} {way}", wanted, client(target, steps))
    return good


def compare_cut(title: str, steps: Steps, direct: Target, gateway: Gateway, way: str) -> bool:
    """Let both clients go through a gateway by a wire that is cut in the middle of calls."""
    from bench._cutter import Cutter

    good = True
    for name, client in CLIENTS.items():
        wanted = client(direct, steps)
        for where, (word, whole, times) in CUTS.items():
            with Cutter(gateway.address, word, whole=whole, times=times) as cutter:
                found = client(Target(url=f"http://{cutter.address}/mcp"), steps)
            good &= same(f"{title:12} {name:11} {way}, cut {where}", wanted, found)
            if not (cutter.cuts and cutter.resumed):
                print(f"  NOT resumed: {cutter.cuts} cuts", flush=True)
                good = False
    return good


def same(title: str, wanted: Any, found: Any) -> bool:
    """Say whether the outcomes of a way are those that are wanted."""
    differs = [
        one[:2]
        for one, other in zip(wanted, found, strict=True)
        if same_text(one) != same_text(other)
    ]
    word = f"DIFFERENT at {differs}" if differs else "the same as directly"
    print(f"{title:75} {len(wanted):3} outcomes {word}", flush=True)
    return not differs


def wrapped(name: str, command: Sequence[str], scratch: Path) -> dict[str, Target]:
    """Return the ways through the stdio wrapper."""
    # Clients hand on hardly any of their environment.
    state = ("env", f"PLUGBAY_STATE_DIR={scratch / 'state'}")
    own = ("--server", name, "--log-file", str(scratch / "log"))
    monitor = (*state, sys.executable, "-m", "plugbay", "monitor", *own)
    plugins = tuple(word for name in [*PLUGINS][:3] for word in ("-p", name))
    return {
        "stdio, 0 plugins": Target((*monitor, "--", *command)),
        "stdio, 3 plugins": Target((*monitor, *plugins, "--", *command)),
    }


def hosted(command: Sequence[str]) -> str:
    """Return the settings of a gateway that runs a server over stdio."""
    program, *arguments = command
    return (
        f'[[mcp.servers]]\nname = "everything"\ncommand = "{program}"\n'
        f"args = {json.dumps(arguments)}\n"
        '[[routes]]\nname = "mcp"\npath = "/mcp"\nmcp = "everything"\n'
    )


@contextmanager
def serving_with(settings: str, plugins: int) -> Generator[Gateway]:
    """Start a gateway with so many plugins before its MCP route."""
    from bench._gateway import Gateway

    with Gateway(settings=settings) as gateway:
        for name, config in [*PLUGINS.items()][:plugins]:
            artifact = gateway.push(ROOT / "plugins" / "mcp" / name)
            gateway.put(name, digest=artifact["digest"], config=config)
        yield gateway


def main() -> None:
    """Run all, and exit with 1 if anything differs."""
    from bench._mcp_peers import environment, free_port, node, serving

    clock = (str(environment("mcp-server-time") / "mcp-server-time"),)
    everything = node("server-everything", "stdio")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = scratch / "files"
        folder.mkdir()
        files = node("server-filesystem", str(folder))
        good = compare(
            "everything", EVERYTHING, Target(everything), wrapped("everything", everything, scratch)
        )
        good &= compare(
            "filesystem", filesystem(folder), Target(files), wrapped("filesystem", files, scratch)
        )
        good &= compare("time", TIME, Target(clock), wrapped("time", clock, scratch))
        port = free_port()
        command = node("server-everything", "streamableHttp")
        stack.enter_context(serving(command, port, PORT=str(port)))
        settings = (
            f'[[upstreams]]\nname = "everything"\n[[upstreams.targets]]\n'
            f'address = "127.0.0.1:{port}"\n'
            '[[routes]]\nname = "mcp"\npath = "/mcp"\nmcp = "everything"\n'
        )
        direct = Target(url=f"http://127.0.0.1:{port}/mcp")
        for count in (0, len(PLUGINS)):
            gateway = stack.enter_context(serving_with(settings, count))
            way = {f"HTTP, {count} plugins": Target(url=f"http://{gateway.address}/mcp")}
            good &= compare("everything", EVERYTHING, direct, way)
        for count in (0, len(PLUGINS)):
            gateway = stack.enter_context(serving_with(hosted(everything), count))
            title = f"HTTP before stdio, {count} plugins"
            way = {title: Target(url=f"http://{gateway.address}/mcp")}
            good &= compare("everything", EVERYTHING, Target(everything), way)
            good &= compare_cut("everything", EVERYTHING, Target(everything), gateway, title)
    sys.exit(not good)


if __name__ == "__main__":
    main()
