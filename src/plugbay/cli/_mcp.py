"""`plugbay mcp …`: the servers of a gateway, and the tools that servers have."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from plugbay.cli import _mcp_pins, _mcp_servers
from plugbay.cli._commands import Commands
from plugbay.cli._mcp_replay import replay
from plugbay.cli._options import Config, Output
from plugbay.cli._output import Format, print_json, print_rows
from plugbay.cli._serve import settings_file
from plugbay.kernel import Invalid

CONTEXT = {"allow_interspersed_args": False}


def build() -> typer.Typer:
    """Return the group of commands."""
    group = Commands("MCP servers: tools, pins and recordings.")
    group.add("list", _mcp_servers.list_)
    group.add("add", _mcp_servers.add, "plugbay mcp add files --path /files -- npx -y my-server .")
    group.add("remove", _mcp_servers.remove)
    group.add("restart", _mcp_servers.restart)
    group.add(
        "replay",
        replay,
        "plugbay mcp replay session.jsonl",
        "plugbay mcp replay session.jsonl -- python server.py",
        context=CONTEXT,
    )
    group.add(
        "tools",
        tools,
        "plugbay mcp tools -- npx -y @modelcontextprotocol/server-everything",
        "plugbay mcp tools --url http://127.0.0.1:3001/mcp --full",
        context=CONTEXT,
    )
    group.add_typer(_mcp_pins.build(), name="pins")
    return group


def tools(
    command: Annotated[
        list[str] | None, typer.Argument(help="A server's command, behind `--`.")
    ] = None,
    url: Annotated[str, typer.Option(help="A server over HTTP.")] = "",
    name: Annotated[
        str, typer.Option(help="A server or a federation that the settings name.")
    ] = "",
    config: Config = None,
    full: Annotated[
        bool, typer.Option("--full", help="Print whole descriptions, not their first lines.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Print the tools of an MCP server or of a federation; exit with 1 if a member is down.

    Arguments that a tool needs have a star.
    """
    found = asyncio.run(_tools(command or [], url, name, config))
    if output is Format.JSON:
        print_json(found)
    else:
        rows = [_tool(one, full=full) for one in found["tools"]]
        cut = () if full else ("arguments", "description")
        columns = ("name", "arguments", "description")
        print_rows(rows, columns, output, empty="there are no tools", cut=cut)
    for server, why in found["unavailable"].items():
        typer.echo(f"plugbay: {server} is not available: {why}", err=True)
    if found["unavailable"]:
        raise typer.Exit(1)


async def _tools(command: list[str], url: str, name: str, config: Path | None) -> dict[str, Any]:
    from plugbay.app.mcp_tools import tools_of_command, tools_of_name, tools_of_url

    command = command[1:] if command[:1] == ["--"] else command
    if sum(map(bool, (command, url, name))) != 1:
        raise Invalid("name one server: by --name, by --url, or by its command behind --")
    if command:
        return await tools_of_command(command)
    if url:
        return await tools_of_url(url)
    from plugbay.settings import load

    settings = load(settings_file(config), os.environ)
    return await tools_of_name(name, settings.mcp, Path(settings.data_dir))


def _tool(tool: dict[str, Any], *, full: bool) -> dict[str, str]:
    schema: dict[str, Any] = tool.get("inputSchema", {})
    required: list[str] = schema.get("required", [])
    properties: dict[str, Any] = schema.get("properties", {})
    names = [f"{one}*" if one in required else one for one in properties]
    text = str(tool.get("description") or tool.get("title") or "").strip()
    shown = text if full else text.partition("\n")[0].rstrip()
    return {"name": str(tool.get("name", "")), "arguments": " ".join(names), "description": shown}
