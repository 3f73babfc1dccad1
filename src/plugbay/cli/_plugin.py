"""`plugbay plugin …`: from a new folder to a plugin that is swapped under load."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

from plugbay.artifacts import build_wheel
from plugbay.cli._client import AdminClient, segment
from plugbay.cli._operation import follow, print_operation
from plugbay.cli._options import URL, Output, Reason, Token, Url, Wait
from plugbay.cli._output import Format, print_facts, print_json, print_rows
from plugbay.cli._scaffold import scaffold
from plugbay.cli._session import Target
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

Id = Annotated[str, typer.Argument(help="The plugin's id.", metavar="ID")]
Folder = Annotated[Path, typer.Argument(help="A plugin project.", exists=True, file_okay=False)]
COLUMNS = ("id", "version", "state", "generation", "in_flight", "config_version", "routes")


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(help="Make, upload, enable, swap and watch plugins.", no_args_is_help=True)
    for command in (new, build_, check, push, list_, info, enable, disable, reload, rollback, logs):
        group.command(command.__name__.rstrip("_"))(command)
    return group


def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make; its name is the plugin's id.")],
) -> None:
    """Make a new plugin project: source, manifest and a test that passes."""
    for path in scaffold(folder):
        print(path)
    print(f"\nNext: plugbay plugin check {folder} && plugbay plugin push {folder} --enable")


def build_(
    folder: Folder = Path(),
    out: Annotated[Path, typer.Option(help="Where to put the wheel.")] = Path("dist"),
) -> None:
    """Build the project's wheel, the same bytes every time."""
    out.mkdir(parents=True, exist_ok=True)
    print(build_wheel(folder, out))


def check(
    what: Annotated[Path, typer.Argument(help="A project or a wheel.", exists=True)] = Path(),
    output: Output = Format.TABLE,
) -> None:
    """Run every validation layer here, as an upload would, and print all findings."""
    # Imported here: only this command runs the plugin's code, in a child process.
    from plugbay.app.check import check_artifact

    with tempfile.TemporaryDirectory(prefix="plugbay-check-") as scratch:
        report = asyncio.run(check_artifact(_wheel_of(what, Path(scratch)), Path(scratch)))
    if output is Format.JSON:
        print_json(report)
    else:
        _print_layers(report)
    if report["state"] != "validated":
        raise typer.Exit(1)


def push(
    what: Annotated[Path, typer.Argument(help="A project or a wheel.", exists=True)] = Path(),
    enable: Annotated[bool, typer.Option(help="Enable this version, or swap to it.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="TOML or JSON file with the configuration.")
    ] = None,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Upload a plugin; print what each validation layer says."""
    client = Target(url, token).client()
    with tempfile.TemporaryDirectory(prefix="plugbay-push-") as scratch:
        wheel = _wheel_of(what, Path(scratch))
        artifact = _upload(client, wheel)
    if output is Format.TABLE:
        _print_layers(artifact)
    if not enable:
        if output is Format.JSON:
            print_json(artifact)
        return
    manifest: Mapping[str, Any] = artifact["manifest"]
    content: dict[str, Any] = {"digest": artifact["digest"]}
    if config is not None:
        content["config"] = read_document(config)
    _change(client, "PUT", f"/plugins/{segment(manifest['id'])}", content, reason, wait, output)


def list_(url: Url = URL, token: Token = "", output: Output = Format.TABLE) -> None:
    """List the plugins: version, state, generation, requests in flight."""
    plugins = Target(url, token).client().call("GET", "/plugins").json["items"]
    print_rows(plugins, COLUMNS, output, empty="no plugin is installed: plugbay plugin push …")


def info(plugin: Id, url: Url = URL, token: Token = "", output: Output = Format.TABLE) -> None:
    """Show one plugin: what is asked for, what each worker has, its versions."""
    print_facts(Target(url, token).client().call("GET", f"/plugins/{segment(plugin)}").json, output)


def enable(
    plugin: Id,
    version: Annotated[str, typer.Option(help="Another version than the last one.")] = "",
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Enable a plugin, or swap it to another version while traffic flows."""
    content = {"version": version} if version else {}
    client = Target(url, token).client()
    _change(client, "POST", f"/plugins/{segment(plugin)}/enable", content, reason, wait, output)


def disable(
    plugin: Id,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Take a plugin out of traffic; requests inside it end first."""
    client = Target(url, token).client()
    _change(client, "POST", f"/plugins/{segment(plugin)}/disable", {}, reason, wait, output)


def reload(
    plugin: Id,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Start the same version anew beside the running one, and swap."""
    client = Target(url, token).client()
    _change(client, "POST", f"/plugins/{segment(plugin)}/reload", {}, reason, wait, output)


def rollback(
    plugin: Id,
    reason: Reason = "",
    wait: Wait = 90.0,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Return to the version and the configuration before the last change."""
    client = Target(url, token).client()
    _change(client, "POST", f"/plugins/{segment(plugin)}/rollback", {}, reason, wait, output)


def logs(
    plugin: Id,
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, max=1000)] = 50,
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
        print(record["time"], record["level"], record["message"])


def read_document(path: Path) -> dict[str, Any]:
    """Read a TOML or JSON file. Raises `Invalid`."""
    try:
        text = path.read_text()
        value: Any = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise Invalid(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise Invalid(f"{path}: expected a table of keys, found {type(value).__name__}")
    return value  # pyright: ignore[reportUnknownVariableType] - JSON


def _wheel_of(what: Path, scratch: Path) -> Path:
    return build_wheel(what, scratch) if what.is_dir() else what


def _upload(client: AdminClient, wheel: Path) -> dict[str, Any]:
    size = wheel.stat().st_size
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    # On standard error and only for people: -o json stays clean.
    with Progress(*columns, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(wheel.name, total=size)
        artifact: dict[str, Any] = client.upload(
            wheel, progress=lambda sent: bar.update(task, completed=sent)
        ).json
    return artifact


def _change(
    client: AdminClient,
    method: str,
    path: str,
    content: Mapping[str, Any],
    reason: str,
    wait: float,
    output: Format,
) -> None:
    headers = {"if-match": "*"} if method == "PUT" else {}
    query = {"wait": "converged", "timeout": wait} if wait > 0 else {}
    body = {**content, "reason": reason} if reason else dict(content)
    reply = client.call(method, path, body, query=query, headers=headers)
    operation = follow(client, reply, wait)
    print_operation(operation, output)
    if operation["state"] in ("failed", "rolled_back", "cancelled"):
        raise typer.Exit(1)


def _print_layers(artifact: Mapping[str, Any]) -> None:
    rows = [
        {
            "layer": layer["name"],
            "result": layer["result"],
            "ms": layer["ms"],
            "findings": "; ".join(f["detail"] for f in layer["findings"]),
        }
        for layer in artifact["layers"]
    ]
    print_rows(rows, ("layer", "result", "ms", "findings"), Format.TABLE, empty="no layer was run")
    print(f"{artifact['digest'][:16]} {artifact['state']}")
