"""`plugbay plugin list`, `info`, `logs`, and the commands that change what runs."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugbay.cli._client import segment
from plugbay.cli._document import assign, read_document
from plugbay.cli._operation import finish, make_change
from plugbay.cli._options import URL, Output, Plugin, Reason, Token, Url, Wait
from plugbay.cli._output import Format, print_facts, print_json, print_rows
from plugbay.cli._session import Target
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping


class RuntimeName(StrEnum):
    """Where a wheel runs."""

    DEFAULT = "default"
    IN_PROCESS = "in-process"
    PROCESS = "process"


COLUMNS = ("id", "version", "state", "config", "in_flight", "failures", "routes", "problem")
CONDITIONS = ("type", "status", "reason", "message")
WORKERS = ("worker", "state", "generation", "in_flight", "draining", "calls", "failures", "watch")
AS_WANTED = {"Converged": "True", "Serving": "True", "Quarantined": "False"}


def list_(
    uploaded: Annotated[
        bool, typer.Option("--all", help="Also those that were uploaded and never enabled.")
    ] = False,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """List the plugins: version, state, configuration, requests in flight."""
    client = Target(url, token).client()
    plugins = list(client.items("/plugins"))
    if uploaded:
        known = {plugin["id"] for plugin in plugins}
        waiting = {one["plugin"]: one for one in client.items("/artifacts", state="validated")}
        plugins += [
            {"id": id, "state": "uploaded", "version": waiting[id]["version"]}
            for id in sorted(waiting.keys() - known)
        ]
    if output is Format.JSON:
        print_json(plugins)
    else:
        rows = (_row(plugin) for plugin in plugins)
        print_rows(rows, COLUMNS, output, empty="no plugin is enabled: plugbay plugin push …")


def info(plugin: Plugin, url: Url = URL, token: Token = "", output: Output = Format.TABLE) -> None:
    """Show one plugin: what is asked for, what each worker has, its versions."""
    view = Target(url, token).client().call("GET", f"/plugins/{segment(plugin)}").json
    if output is Format.JSON:
        print_json(view)
        return
    wanted = view["desired"]
    facts = {name: view[name] for name in ("id", "state", "managed_by", "versions")}
    for name in (
        *("version", "enabled", "runtime", "config_version", "config", "routes", "on_error"),
    ):
        facts[name] = wanted.get(name)  # an older gateway may not have it
    facts |= {"drain_seconds": wanted["drain"], "watch_seconds": wanted["watch"]}
    if held := wanted.get("pin"):
        facts["pinned"] = f"by {held['by']}" + (f": {held['why']}" if held["why"] else "")
    print_facts(facts, output)
    print()
    print_rows(view["conditions"], CONDITIONS, output, empty="")
    print()
    slots: list[dict[str, Any]] = [seen["slot"] or seen for seen in view["workers"]]
    rows = [
        slot | {"worker": seen["worker"]} for slot, seen in zip(slots, view["workers"], strict=True)
    ]
    print_rows(rows, WORKERS, output, empty="no worker is connected")


def enable(
    plugin: Plugin,
    version: Annotated[str, typer.Option(help="Which; default: as it was, or the highest.")] = "",
    runtime: Annotated[
        RuntimeName | None,
        typer.Option(help="Where a wheel runs; default: as it was, or as its manifest says."),
    ] = None,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Enable a plugin, or swap it to another version while traffic flows."""
    client = Target(url, token).client()
    path = f"/plugins/{segment(plugin)}"
    tag = client.tag(path)
    if tag is None and not version:
        versions = client.call("GET", f"{path}/versions").json["items"]
        version = versions[0]["version"]
    if tag is not None and not version and runtime is None:
        operation = make_change(client, "POST", f"{path}/enable", reason=reason, wait=wait)
    else:
        wish = {"version": version, "comment": reason}
        if runtime is not None:
            wish["runtime"] = runtime.value
        operation = make_change(client, "PUT", path, wish, reason=reason, wait=wait, tag=tag)
    finish(operation, output, wait=wait)


def disable(
    plugin: Plugin,
    force: Annotated[
        bool, typer.Option("--force", help="Also if others need it: they stop too.")
    ] = False,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Take a plugin out of traffic; requests inside it end first."""
    path = f"/plugins/{segment(plugin)}/disable{'?force=true' if force else ''}"
    _post(path, reason, wait, url, token, output)


def reload(
    plugin: Plugin,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Start the same version anew beside the running one, and swap."""
    _post(f"/plugins/{segment(plugin)}/reload", reason, wait, url, token, output)


def rollback(
    plugin: Plugin,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Return to the version and the configuration before the last change."""
    _post(f"/plugins/{segment(plugin)}/rollback", reason, wait, url, token, output)


def pin(
    plugin: Plugin,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Hold a plugin at its version: no change and no automatic rollback moves it to another."""
    _post(f"/plugins/{segment(plugin)}/pin", reason, wait, url, token, output)


def unpin(
    plugin: Plugin,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Let a plugin move to other versions again."""
    _post(f"/plugins/{segment(plugin)}/unpin", reason, wait, url, token, output)


def configure(
    plugin: Plugin,
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE…", help="Values are TOML, else text; a.b is in table a."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="The whole configuration, as TOML or JSON."),
    ] = None,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Change a plugin's configuration while traffic flows: what is named, or with --file all."""
    if not values and file is None:
        raise Invalid("nothing to set: give key=value, or --file")
    wanted = {} if file is None else read_document(file, "--file")
    client = Target(url, token).client()
    path = f"/plugins/{segment(plugin)}/config"
    current = client.call("GET", path)
    config = wanted if file is not None else dict(current.json["config"])
    assign(config, values or ())
    wish = {"config": config, "comment": reason}
    tag = current.headers["etag"]
    operation = make_change(client, "PUT", path, wish, reason=reason, wait=wait, tag=tag)
    finish(operation, output, wait=wait)


def logs(
    plugin: Plugin,
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, max=500, help="How many.")] = 50,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Print a plugin's last log lines, of all workers."""
    path = f"/plugins/{segment(plugin)}/logs"
    records = Target(url, token).client().call("GET", path, query={"limit": lines}).json["items"]
    if output is Format.JSON:
        print_json(records)
        return
    for record in records:
        when = dt.datetime.fromtimestamp(record["time"], tz=dt.UTC).isoformat(
            timespec="milliseconds"
        )
        print(when, record["worker"], record["level"], record["message"])


def _post(path: str, reason: str, wait: float, url: str, token: str, output: Format) -> None:
    client = Target(url, token).client()
    finish(make_change(client, "POST", path, reason=reason, wait=wait), output, wait=wait)


def _row(plugin: Mapping[str, Any]) -> dict[str, Any]:
    if "desired" not in plugin:
        return {name: plugin[name] for name in ("id", "version", "state")}
    wanted = plugin["desired"]
    slots = [seen["slot"] for seen in plugin["workers"] if seen["slot"]]
    return {
        "id": plugin["id"],
        "version": wanted["version"],
        "state": plugin["state"],
        "config": wanted["config_version"],
        "in_flight": sum(slot["in_flight"] for slot in slots),
        "failures": sum(slot["failures"] for slot in slots),
        "routes": ", ".join(wanted["routes"]) or "all",
        "problem": _problem(plugin) if wanted["enabled"] else "",
    }


def _problem(plugin: Mapping[str, Any]) -> str:
    for condition in plugin["conditions"]:
        if condition["status"] != AS_WANTED.get(condition["type"], condition["status"]):
            return f"{condition['type']} {condition['status']}: {condition['message']}"
    return ""
