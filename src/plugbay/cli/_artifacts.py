"""`plugbay artifacts …`: the stored bytes; and `backup` and `restore` of all that is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from plugbay.cli._client import segment
from plugbay.cli._commands import Commands
from plugbay.cli._files import UserFile, user_folder
from plugbay.cli._files import target as user_target
from plugbay.cli._options import URL, Output, Token, Url
from plugbay.cli._output import Format, print_facts, print_json, print_rows
from plugbay.cli._session import Target
from plugbay.kernel import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.cli._client import AdminClient

COLUMNS = ("plugin", "version", "kind", "state", "size", "digest")
PARTS = ("name", "version", "ecosystem", "plugin", "plugin_version", "enabled", "certain")
DataDir = Annotated[Path, typer.Option(help="The gateway's data directory.")]
DATA_DIR = Path(".plugbay")
_SETTLED = ("validated", "revoked")
_WHOLE, _SHORTEST = 64, 6
"""How long a digest in hex is, and its shortest abbreviation."""


def list_(
    plugin: Annotated[str, typer.Option(help="Only those of this plugin.")] = "",
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """List the artifacts, the last uploaded first."""
    query = f"?plugin={plugin}" if plugin else ""
    items = Target(url, token).client().call("GET", f"/artifacts{query}").json["items"]
    rows = [{**item, "digest": item["digest"][:12]} for item in items]
    print_rows(items if output is Format.JSON else rows, COLUMNS, output, empty="no artifacts")


def check(
    mend: Annotated[
        bool, typer.Option(help="Remove what is of no use in the backing store.")
    ] = False,
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """Compare every stored byte with its digest; exit with 1 if something is missing or damaged."""
    path = f"/artifacts/check?mend={str(mend).lower()}"
    report = Target(url, token).client().call("POST", path).json
    local: dict[str, Any] = report["local"]
    backing: dict[str, Any] = report["backing"] or {}
    facts = {**local, **backing, "unkept": report["unkept"], "unknown": report["unknown"]}
    _print(report, facts, output)
    if local["missing"] or local["corrupt"] or backing.get("incomplete") or report["unkept"]:
        raise typer.Exit(1)


def migrate(url: Url = URL, token: Token = "", output: Output = Format.TABLE) -> None:
    """Bring this disk and the backing store to the same artifacts; exit with 1 if some failed."""
    done = Target(url, token).client().call("POST", "/artifacts/migrate").json
    failed = done.pop("failed")
    _print({**done, "failed": failed}, {**done, "failed": failed}, output)
    if failed:
        raise typer.Exit(1)


def sbom(
    artifact: Annotated[
        str,
        typer.Argument(
            help="A digest, or its first characters; or a plugin's id.", metavar="DIGEST|PLUGIN"
        ),
    ],
    url: Url = URL,
    token: Token = "",
) -> None:
    """Print what an artifact is made of (CycloneDX). Of a plugin: what it runs, else the newest."""
    client = Target(url, token).client()
    digest = _digest(client, artifact)
    print(client.call("GET", f"/artifacts/{segment(digest)}/sbom").body.decode())


def components(
    name: Annotated[str, typer.Argument(help="E.g. requests, golang.org/x/net, or acme-*.")],
    version: Annotated[
        str, typer.Option(help="Only these, e.g. '<2.32' or '>=v1.2.0,<v1.4.0'.")
    ] = "",
    url: Url = URL,
    token: Token = "",
    output: Output = Format.TABLE,
) -> None:
    """List the artifacts that ship a component; enabled ones are what runs now."""
    query: dict[str, object] = {"name": name, "version": version or None, "limit": 500}
    rows = list(Target(url, token).client().items("/components", **query))
    print_rows(rows, PARTS, output, empty="no artifact ships that")


def backup(
    target: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    data_dir: DataDir = DATA_DIR,
    output: Output = Format.TABLE,
) -> None:
    """Copy a data directory into one file, while the gateway runs or not. Keep it secret."""
    from plugbay.app.backup import back_up

    user_folder(data_dir, "--data-dir", "the data directory of a gateway")
    file = user_target(target, "TARGET")
    contents = back_up(data_dir, file)
    print_facts({"written": target, "files": contents.files, "bytes": contents.size}, output)


def restore(
    archive: Annotated[Path, typer.Argument(help="A file that `backup` has written.")],
    data_dir: DataDir = DATA_DIR,
    output: Output = Format.TABLE,
) -> None:
    """Make a new data directory of a backup."""
    from plugbay.app.backup import restore as run

    file = UserFile(archive, "ARCHIVE", "a backup", "plugbay backup FILE writes one").check()
    contents = run(file, user_folder(data_dir, "--data-dir", "an empty place", made=True))
    print_facts({"restored": data_dir, "files": contents.files, "bytes": contents.size}, output)


def _print(whole: Any, facts: Mapping[str, Any], output: Format) -> None:
    if output is Format.JSON:
        print_json(whole)
        return
    for name, value in facts.items():
        why = cast("dict[str, str]", value if isinstance(value, dict) else dict.fromkeys(value, ""))
        lines = [f"{key[:12]} {text}".rstrip() for key, text in why.items()]
        print(f"{name:10}  {len(lines)}", *lines, sep="\n            " if lines else "")


def _digest(client: AdminClient, artifact: str) -> str:
    """Find the digest that is meant: whole, abbreviated, or by plugin. Raises `NotFound`."""
    if len(artifact) == _WHOLE:
        return artifact
    running = ""
    for plugin in client.items("/plugins"):
        if plugin["id"] == artifact:
            running = plugin["desired"]["digest"]
    known = [item for item in client.items("/artifacts", limit=500) if item["state"] in _SETTLED]
    of_plugin: list[str] = [item["digest"] for item in known if item["plugin"] == artifact]
    alike: list[str] = [item["digest"] for item in known if item["digest"].startswith(artifact)]
    if running or of_plugin:
        return running or of_plugin[0]
    if len(alike) != 1 or len(artifact) < _SHORTEST:
        what = "several artifacts begin so" if alike else "there is no such artifact or plugin"
        raise NotFound(f"{artifact}: {what}; `plugbay artifacts list` shows all")
    return alike[0]


def build() -> typer.Typer:
    """Return the commands of `plugbay artifacts`."""
    commands = Commands("Uploaded wheels and binaries of plugins.")
    commands.add("list", list_)
    commands.add("check", check)
    commands.add("migrate", migrate)
    commands.add("sbom", sbom, "plugbay artifacts sbom console-logger")
    commands.add(
        "components", components, "plugbay artifacts components requests --version '<2.32'"
    )
    return commands
