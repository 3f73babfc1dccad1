"""`plugbay monitor`: plugins between an MCP client and a server over stdio."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from plugbay.cli._wrap import run

EXAMPLES = (
    "plugbay monitor -- npx -y @modelcontextprotocol/server-everything",
    "plugbay monitor -p pins --record session.jsonl -- python server.py",
)
CONTEXT = {"allow_interspersed_args": False, "ignore_unknown_options": False}
"""Options end where the command begins: what follows is the command's own."""


def monitor(
    command: Annotated[
        list[str], typer.Argument(help="The server's command, best behind `--`.", metavar="CMD")
    ],
    server: Annotated[
        str, typer.Option(help="The server's name, as plugins see it; default: the command's.")
    ] = "",
    plugin: Annotated[
        list[str] | None,
        typer.Option("-p", "--plugin", help="A plugin: its name, folder or wheel; repeatable."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Configure a plugin: PLUGIN.KEY=VALUE, in TOML; repeatable.",
            metavar="SETTING",
        ),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Record every message in this file, without secrets.")
    ] = None,
    identity: Annotated[
        str, typer.Option(help="Who the client is, for policies; default: the user.")
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", help="Swap a plugin when its files change.")
    ] = False,
    grace: Annotated[
        float, typer.Option(help="Seconds that the server gets to end.", min=0.1, max=60)
    ] = 2.0,
    max_message: Annotated[int, typer.Option(help="Bytes of one message at most.", min=1024)] = 16
    * 1024
    * 1024,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start the server again when it dies.")
    ] = False,
    log_file: Annotated[Path | None, typer.Option(help="Log there, not to standard error.")] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Log more.")] = False,
) -> None:
    """Run an MCP server and pass every message through plugins; exit with the server's code.

    SIGUSR1 swaps all plugins while calls are in flight. Exit code 127: no such command.
    """
    sys.exit(run(locals()))
