"""`plugbay plan` and `plugbay apply`: routes, upstreams and plugins from one document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugbay.cli._operation import follow, print_operation
from plugbay.cli._options import URL, Output, Reason, Token, Url, Wait
from plugbay.cli._output import Format, print_rows
from plugbay.cli._plugin import read_document
from plugbay.cli._session import Target

Document = Annotated[
    Path, typer.Argument(help="TOML or JSON with routes, upstreams, plugins.", exists=True)
]
COLUMNS = ("action", "kind", "name", "changes")


def plan(
    document: Document, url: Url = URL, token: Token = "", output: Output = Format.TABLE
) -> None:
    """Show what `apply` would change. Exit code 0: nothing to do; 1 with --detailed …"""
    client = Target(url, token).client()
    steps = client.call("POST", "/plan", read_document(document)).json["steps"]
    print_rows(steps, COLUMNS, output, empty="nothing to do: what is running is what is asked for")


def apply(
    document: Document,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Make what is running equal to the document, in one change of all workers."""
    client = Target(url, token).client()
    content = read_document(document) | ({"reason": reason} if reason else {})
    query = {"wait": "converged", "timeout": wait} if wait > 0 else {}
    reply = client.call("POST", "/apply", content, query=query)
    operation = follow(client, reply, wait)
    print_operation(operation, output)
    if operation["state"] in ("failed", "rolled_back", "cancelled"):
        raise typer.Exit(1)
