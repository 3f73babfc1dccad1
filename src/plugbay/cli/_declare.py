"""`plugbay plan`, `apply` and `export document`: all desired state as one document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugbay.cli._document import read_document
from plugbay.cli._files import target
from plugbay.cli._operation import finish, make_change
from plugbay.cli._options import URL, Output, Reason, Token, Url, Wait
from plugbay.cli._output import Format, print_json, print_rows
from plugbay.cli._session import Target
from plugbay.kernel import Invalid
from plugbay.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Document = Annotated[
    Path,
    typer.Argument(help="TOML or JSON with routes, upstreams, plugins, MCP servers."),
]
COLUMNS = ("op", "kind", "name", "changes")
NOTHING = "nothing to do: what is running is what is asked for"


def plan(
    document: Document,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 if there is anything to do.")
    ] = False,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Show what `apply` would change."""
    wanted = read_document(document, "DOCUMENT")
    found = Target(url, token).client().call("POST", "/plan", wanted).json
    if output is Format.JSON:
        print_json(found)
    else:
        print_steps(found["steps"])
    if check and found["steps"]:
        raise typer.Exit(1)


def apply(
    document: Document,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Make what is running equal to the document: all of it as one change, or nothing."""
    content = read_document(document, "DOCUMENT")
    client = Target(url, token).client()
    planned = client.call("POST", "/plan", content)
    steps = planned.json["steps"]
    if output is Format.TABLE:
        print_steps(steps)
        if not steps:
            return
    operation = make_change(
        client, "POST", "/apply", content, reason=reason, wait=wait, tag=planned.headers["etag"]
    )
    finish(operation, output, wait=wait)


def export_document(
    file: Annotated[
        Path | None, typer.Argument(help="A file *.json; default: standard output.")
    ] = None,
    url: Url = URL,
    token: Token = "",
) -> None:
    """Write all desired state that no file manages as a document; planned, it changes nothing."""
    if file is not None:
        file = target(file, "FILE")
    if file is not None and file.suffix != ".json":
        raise Invalid(f"{file}: the document is JSON, and read as such only from a file *.json")
    found = Target(url, token).client().call("GET", "/document").json
    if file is None:
        print_json(found)
    else:  # for its owner's eyes: the environment of MCP servers is in it
        write_atomically(file, json.dumps(found, indent=2, ensure_ascii=False).encode() + b"\n")


def print_steps(steps: Iterable[Mapping[str, Any]]) -> None:
    """Print what a plan would change, for people."""
    rows = [{**step, "changes": _changes(step["differences"])} for step in steps]
    print_rows(rows, COLUMNS, Format.TABLE, empty=NOTHING)


def _changes(differences: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one['pointer']}: {one['old']} → {one['new']}" for one in differences)
