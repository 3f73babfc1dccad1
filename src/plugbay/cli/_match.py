"""`plugbay match`: which route of a gateway takes a request, and why the others do not."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

import typer

from plugbay.cli._options import URL, Output, Token, Url
from plugbay.cli._output import Format, print_json, print_rows
from plugbay.cli._session import Target


def match(
    request: Annotated[str, typer.Argument(help="Its URL, or its path alone.", metavar="URL")],
    method: Annotated[str, typer.Option("--method", "-X", help="Its method.")] = "GET",
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Tell which route takes a request, without sending it. Exit code 1 if none does."""
    query = urlencode({"url": request, "method": method})
    found = Target(url, token).client().call("GET", f"/match?{query}").json
    if output is Format.JSON:
        print_json(found)
    else:
        rows = [{**one, "chosen": "→" if one["chosen"] else ""} for one in found["considered"]]
        rows.sort(key=lambda row: not row["chosen"])
        print_rows(rows, ("chosen", "route", "why"), Format.TABLE, empty="there is no route")
    if found["route"] is None:
        raise typer.Exit(1)
