"""`plugbay mcp list|add|remove|restart`: the MCP servers that a gateway runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugbay.cli._client import segment
from plugbay.cli._operation import finish, make_change
from plugbay.cli._options import URL, Output, Reason, Token, Url, Wait, assigned
from plugbay.cli._output import Format, print_json, print_rows
from plugbay.cli._session import Target
from plugbay.kernel import Conflict, NotFound

if TYPE_CHECKING:
    from plugbay.cli._client import AdminClient

Name = Annotated[str, typer.Argument(help="What it is called; routes name it so.")]
COLUMNS = ("kind", "name", "state", "sessions", "requests", "restarts", "what", "error")


def list_(url: Url = URL, token: Token = "", output: Output = Format.TABLE) -> None:
    """List the servers and federations of a gateway, and how they are."""
    client = Target(url, token).client()
    kinds = ("servers", "federations")
    found = {kind: client.call("GET", f"/mcp/{kind}").json["items"] for kind in kinds}
    if output is Format.JSON:
        print_json(found)
        return
    rows = [_row(kind, one) for kind in kinds for one in found[kind]]
    print_rows(rows, COLUMNS, Format.TABLE, empty="there is none; add one: plugbay mcp add")


def add(
    name: Name,
    command: Annotated[list[str], typer.Argument(help="Its command, behind `--`.")],
    path: Annotated[str, typer.Option(help="Also make a route to it, for this path.")] = "",
    env: Annotated[
        list[str],
        typer.Option(help="NAME=value of its environment, also ${secret:name}; may be repeated."),
    ] = [],  # noqa: B006 - read by Typer, never changed
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Add an MCP server over stdio to a gateway, as one change with its route."""
    server = {"name": name, "command": command[0], "args": command[1:], "env": assigned(env)}
    document: dict[str, Any] = {"mcp": {"servers": [server]}}
    if path:
        document["routes"] = [{"name": name, "path": path, "mcp": name}]
    client = Target(url, token).client()
    planned = client.call("POST", "/plan", document)
    taken = [f"{s['kind']}/{s['name']}" for s in planned.json["steps"] if s["op"] != "add"]
    if taken or not planned.json["steps"]:
        raise Conflict(f"there already: {', '.join(taken) or name}; choose another name")
    tag = planned.headers["etag"]
    operation = make_change(client, "POST", "/apply", document, reason=reason, wait=wait, tag=tag)
    finish(operation, output, wait=wait)


def remove(
    name: Name,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Remove a server or a federation, as one change with the routes to it."""
    client = Target(url, token).client()
    path = f"/mcp/{_kind(client, name)}/{segment(name)}"
    tag = client.tag(path)
    operation = make_change(
        client, "DELETE", path, reason=reason, wait=wait, tag=tag, query={"routes": "true"}
    )
    finish(operation, output, wait=wait)


def restart(name: Name, url: Url = URL, token: Token = "") -> None:
    """End a server's processes and start others under their sessions, also one that rests."""
    Target(url, token).client().call("POST", f"/mcp/servers/{segment(name)}/restart")
    print(f"{name} starts anew")


def _kind(client: AdminClient, name: str) -> str:
    for kind in ("servers", "federations"):
        items = client.call("GET", f"/mcp/{kind}").json["items"]
        if name in {one["name"] for one in items}:
            return kind
    raise NotFound(f"there is no MCP server or federation {name}")


def _row(kind: str, one: dict[str, Any]) -> dict[str, object]:
    spec: dict[str, Any] = one["spec"]
    status: dict[str, Any] = one["status"] or {}
    if kind == "servers":
        what = " ".join((spec["command"], *spec["args"]))
    else:
        what = ", ".join(member["server"] or member["url"] for member in spec["members"])
    members: dict[str, str] = status.get("down", {})
    down = "; ".join(f"{name}: {why}" for name, why in members.items())
    return {
        "kind": kind.removesuffix("s"),
        "name": one["name"],
        "state": status.get("state", "unknown"),
        "sessions": status.get("sessions", ""),
        "requests": status.get("requests", ""),
        "restarts": status.get("restarts", "") if kind == "servers" else "",
        "what": what,
        "error": status.get("error", "") or down,
    }
