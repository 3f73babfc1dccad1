"""`plugbay mcp …`: pins of tool definitions, and recorded sessions played again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from plugbay.cli._options import Output
from plugbay.cli._output import Format, print_rows

Server = Annotated[str, typer.Argument(help="The server's name, as `monitor --server` has it.")]
CONTEXT = {"allow_interspersed_args": False}


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(help="Look after MCP servers on this machine.", no_args_is_help=True)
    group.command("replay", context_settings=CONTEXT)(replay)
    pins = typer.Typer(help="Pinned definitions of tools.", no_args_is_help=True)
    pins.command("list")(list_)
    pins.command("verify")(verify)
    pins.command("approve")(approve)
    pins.command("reset")(reset)
    group.add_typer(pins, name="pins")
    return group


def list_(output: Output = Format.TABLE) -> None:
    """List every pinned tool of every server, and whether it is as it was approved."""
    from plugbay.app.pins import all_pins

    rows = asyncio.run(all_pins())
    print_rows(rows, ("server", "tool", "state", "hash"), output, empty="nothing is pinned")


def verify(
    server: Annotated[str, typer.Argument(help="Of one server; default: all.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """List what is not as it was approved; exit with 1 if there is anything."""
    from plugbay.app.pins import all_pins

    found = asyncio.run(all_pins())
    rows = [row for row in found if row["state"] != "approved" and server in ("", row["server"])]
    print_rows(rows, ("server", "tool", "state", "hash"), output, empty="all as approved")
    if rows:
        raise typer.Exit(1)


def approve(
    server: Server,
    tool: Annotated[str, typer.Argument(help="One tool; default: all that was seen.")] = "",
) -> None:
    """Approve the definitions that were seen last. Running monitors obey at once."""
    from plugbay.app.pins import approve_pins

    for name in asyncio.run(approve_pins(server, tool)):
        print(f"approved {server} {name}")


def reset(server: Server) -> None:
    """Forget a server's pins: the next list is trusted as the first."""
    from plugbay.app.pins import reset_pins

    asyncio.run(reset_pins(server))
    print(f"forgot the pins of {server}")


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
