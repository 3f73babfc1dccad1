"""`plugbay token …`: personal API tokens, for programs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from plugbay.cli._client import segment
from plugbay.cli._commands import Commands
from plugbay.cli._options import URL, Output, Token, Url
from plugbay.cli._output import Format, print_json, print_rows
from plugbay.cli._session import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COLUMNS = ("id", "name", "scopes", "plugins", "expires")


def create(
    name: Annotated[str, typer.Argument(help="What it is for.", metavar="NAME")],
    scope: Annotated[
        list[str], typer.Option(help="A permission, such as artifacts:write. Repeatable.")
    ],
    plugin: Annotated[
        list[str] | None,
        typer.Option(help="Only this plugin may be changed with it. Repeatable."),
    ] = None,
    days: Annotated[float, typer.Option(help="Days for which it is valid.", min=0.0001)] = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Make a token. It is shown this one time, alone on standard output."""
    wish = {"name": name, "scopes": scope, "plugins": plugin or [], "expires_in": days * 86400}
    made = Target(url, token).client().call("POST", "/tokens", wish).json
    if output is Format.JSON:
        print_json(made)
    else:
        print(made["secret"])


def list_(
    user: Annotated[str, typer.Option(help="Somebody else's.")] = "",
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """List the tokens, without their secrets."""
    path = f"/users/{segment(user)}/tokens" if user else "/tokens"
    tokens = Target(url, token).client().call("GET", path).json["items"]
    if output is Format.JSON:
        print_json(tokens)
        return
    rows = [
        {
            **one,
            "scopes": ", ".join(one["scopes"]),
            "plugins": ", ".join(one["plugins"]) or "any",
            "expires": _moment(one["expires"]),
        }
        for one in tokens
    ]
    print_rows(rows, COLUMNS, output, empty="there is no token")


def revoke(
    id: Annotated[str, typer.Argument(help="The token's id.", metavar="ID")],
    user: Annotated[str, typer.Option(help="Somebody else's.")] = "",
    url: Url = URL,
    token: Token = "",
) -> None:
    """Revoke a token at once."""
    path = f"/users/{segment(user)}/tokens" if user else "/tokens"
    Target(url, token).client().call("DELETE", f"{path}/{segment(id)}")
    print(f"{id} is revoked")


COMMANDS: Mapping[str, Callable[..., None]] = {"create": create, "list": list_, "revoke": revoke}
EXAMPLES = {"create": ("plugbay token create ci --scope artifacts:write --days 7",)}


def build() -> typer.Typer:
    """Return the group of commands."""
    group = Commands("Personal API tokens, for programs.")
    for name, command in COMMANDS.items():
        group.add(name, command, *EXAMPLES.get(name, ()))
    return group


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
