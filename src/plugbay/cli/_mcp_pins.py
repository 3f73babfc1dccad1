"""`plugbay mcp pins …`: pinned definitions of tools, on this machine or in a gateway."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from plugbay.cli._client import segment
from plugbay.cli._commands import Commands
from plugbay.cli._options import URL, Output, Token, Url
from plugbay.cli._output import Format, print_rows
from plugbay.cli._session import Target
from plugbay.kernel import Unavailable

Server = Annotated[
    str, typer.Argument(help="The server's name, as `monitor --server` has it, or the route's.")
]
Gateway = Annotated[
    bool, typer.Option("--gateway", help="In the gateway, not of monitors on this machine.")
]
PLUGIN = "pins"


def build() -> typer.Typer:
    """Return the group of commands."""
    pins = Commands("Pinned definitions of tools: is every tool as it was approved?")
    pins.add("list", list_)
    pins.add("verify", verify)
    pins.add("approve", approve, "plugbay mcp pins approve files read_file")
    pins.add("reset", reset)
    return pins


def list_(
    gateway: Gateway = False, url: Url = URL, token: Token = "", output: Output = Format.TABLE
) -> None:
    """List every pinned tool of every server, and whether it is as it was approved."""
    rows = _rows(gateway, Target(url, token))
    print_rows(rows, ("server", "tool", "state", "hash"), output, empty="nothing is pinned")


def verify(
    server: Annotated[str, typer.Argument(help="Of one server; default: all.")] = "",
    gateway: Gateway = False,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """List what is not as it was approved; exit with 1 if there is anything."""
    found = _rows(gateway, Target(url, token))
    rows = [row for row in found if row["state"] != "approved" and server in ("", row["server"])]
    print_rows(rows, ("server", "tool", "state", "hash"), output, empty="all as approved")
    if rows:
        raise typer.Exit(1)


def approve(
    server: Server,
    tool: Annotated[str, typer.Argument(help="One tool; default: all that was seen.")] = "",
    gateway: Gateway = False,
    url: Url = URL,
    token: Token = "",
) -> None:
    """Approve the definitions that were seen last. Running monitors and gateways obey at once."""
    from plugbay.app.pins import approve_pins

    if gateway:
        answer = _operate(Target(url, token), "approve", {"server": server, "tool": tool})
        approved = answer["approved"]
    else:
        approved = asyncio.run(approve_pins(server, tool))
    for name in approved:
        print(f"approved {server} {name}")


def reset(server: Server, gateway: Gateway = False, url: Url = URL, token: Token = "") -> None:
    """Forget a server's pins: the next list is trusted as the first."""
    from plugbay.app.pins import reset_pins

    if gateway:
        _operate(Target(url, token), "reset", {"server": server})
    else:
        asyncio.run(reset_pins(server))
    print(f"forgot the pins of {server}")


def _rows(gateway: bool, target: Target) -> list[dict[str, str]]:
    from plugbay.app.pins import all_pins

    if not gateway:
        return asyncio.run(all_pins())
    reply = target.client().call("GET", _path("list")).json
    rows: list[dict[str, str]] = _first(reply)["pins"]
    return rows


def _operate(target: Target, name: str, arguments: dict[str, str]) -> dict[str, Any]:
    return _first(target.client().call("POST", _path(name), arguments).json)


def _path(name: str) -> str:
    return f"/plugins/{segment(PLUGIN)}/operations/{segment(name)}"


def _first(reply: dict[str, Any]) -> dict[str, Any]:
    """Every worker says the same, for the pins are kept in one place."""
    answers: dict[str, dict[str, Any]] = reply["workers"]
    if not answers:
        why = "; ".join(f"{name}: {one}" for name, one in reply["failed"].items())
        raise Unavailable(f"no worker has answered: {why}")
    return next(iter(answers.values()))
