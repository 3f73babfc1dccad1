"""`plugbay mcp …`: the servers of a gateway, what servers have, and recorded sessions."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from plugbay.cli import _mcp_pins, _mcp_servers
from plugbay.cli._options import Output
from plugbay.cli._output import Format, print_json, print_rows
from plugbay.kernel import Invalid

CONTEXT = {"allow_interspersed_args": False}


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(help="Look after MCP servers.", no_args_is_help=True)
    group.command("list")(_mcp_servers.list_)
    group.command("add")(_mcp_servers.add)
    group.command("remove")(_mcp_servers.remove)
    group.command("restart")(_mcp_servers.restart)
    group.command("replay", context_settings=CONTEXT)(replay)
    group.command("tools", context_settings=CONTEXT)(tools)
    group.add_typer(_mcp_pins.build(), name="pins")
    return group


def replay(
    file: Annotated[Path, typer.Argument(help="What `monitor --record` wrote.", exists=True)],
    command: Annotated[
        list[str] | None,
        typer.Argument(help="A server to play it to, behind `--`; default: only show it."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for each answer.", min=0.1, max=600)
    ] = 10.0,
    output: Output = Format.TABLE,
) -> None:
    """Show a recorded session, or play it to a server and compare; exit with 1 if they differ.

    What was redacted is played as it was recorded, and not compared.
    """
    from plugbay.app.replay import play, read_record, show

    records = read_record(file)
    command = command or []
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        shown = ("time", "direction", "kind", "method", "id", "size")
        print_rows(show(records), shown, output, empty="nothing was recorded")
        return
    rows = asyncio.run(play(records, command, timeout=timeout))
    columns = ("id", "method", "result", "ms")
    print_rows(rows, columns, output, empty="no request was recorded")
    if any(row["result"] not in ("same", "redacted") for row in rows):
        raise typer.Exit(1)


def tools(
    command: Annotated[
        list[str] | None, typer.Argument(help="A server's command, behind `--`.")
    ] = None,
    url: Annotated[str, typer.Option(help="A server over HTTP.")] = "",
    name: Annotated[
        str, typer.Option(help="A server or a federation that the settings name.")
    ] = "",
    config: Annotated[Path, typer.Option("-c", "--config", help="The settings.")] = Path(
        "gateway.toml"
    ),
    output: Output = Format.TABLE,
) -> None:
    """Print the tools of an MCP server or of a federation; exit with 1 if a member is down."""
    found = asyncio.run(_tools(command or [], url, name, config))
    if output is Format.JSON:
        print_json(found)
    else:
        rows = [_tool(one) for one in found["tools"]]
        print_rows(rows, ("name", "arguments", "description"), output, empty="there are no tools")
    for server, why in found["unavailable"].items():
        typer.echo(f"plugbay: {server} is not available: {why}", err=True)
    if found["unavailable"]:
        raise typer.Exit(1)


async def _tools(command: list[str], url: str, name: str, config: Path) -> dict[str, Any]:
    from plugbay.app.mcp_tools import tools_of_command, tools_of_name, tools_of_url

    command = command[1:] if command[:1] == ["--"] else command
    if sum(map(bool, (command, url, name))) != 1:
        raise Invalid("name one server: by --name, by --url, or by its command behind --")
    if command:
        return await tools_of_command(command)
    if url:
        return await tools_of_url(url)
    from plugbay.settings import load

    settings = load(config, os.environ)
    return await tools_of_name(name, settings.mcp, Path(settings.data_dir))


def _tool(tool: dict[str, Any]) -> dict[str, str]:
    """Return a row: arguments that are required have a star."""
    schema: dict[str, Any] = tool.get("inputSchema", {})
    required: list[str] = schema.get("required", [])
    properties: dict[str, Any] = schema.get("properties", {})
    names = [f"{one}*" if one in required else one for one in properties]
    text = str(tool.get("description") or tool.get("title") or "").strip()
    first = text.splitlines()[0] if text else ""
    return {"name": str(tool.get("name", "")), "arguments": " ".join(names), "description": first}
