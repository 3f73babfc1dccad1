"""`plugbay plugins` and the command `km`: plugins of Kilometers, which look on at MCP messages."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import plugbay
from plugbay.cli import _doctor, _monitor
from plugbay.cli._commands import Commands
from plugbay.cli._files import UserFile, user_folder
from plugbay.cli._options import Output
from plugbay.cli._output import Format, print_facts, print_json, print_rows
from plugbay.kernel import NotFound

if TYPE_CHECKING:
    from plugbay.km import Status

COLUMNS = ("name", "version", "tier", "state", "last_activity")


def build() -> typer.Typer:
    """Return the commands that look at plugins."""
    group = Commands("Plugins of Kilometers (km), which watch MCP.")
    group.add("list", list_plugins)
    group.add("status", status)
    group.add("info", info, "km plugins info console-logger")
    group.add("install", install, "km plugins install api-logger.kmpkg")
    return group


def build_km() -> typer.Typer:
    """Return the command line of `km`."""
    root = Commands(
        "Watch MCP messages through plugins of Kilometers. KM_API_KEY holds the user's key.",
        name="km",
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="KM_DEBUG=1 prints every step on standard error.",
    )
    root.callback()(_options)
    examples = (one.replace("plugbay", "km", 1) for one in _monitor.EXAMPLES)
    root.add("monitor", _monitor.monitor, *examples, context=_monitor.CONTEXT)
    root.add_typer(build(), name="plugins")
    root.add("doctor", _doctor.doctor)
    return root


def list_plugins(output: Output = Format.TABLE) -> None:
    """List the plugins that were found, and whether they run with this API key."""
    from plugbay.app.km import ago, look

    now = time.time()
    rows = [
        {**_plain(one), "version": _version_of(one), "last_activity": ago(one.last_activity, now)}
        for one in look()
    ]
    print_rows(rows, COLUMNS, output, empty="no plugins: none of the folders has a km-plugin-*")


def status(output: Output = Format.TABLE) -> None:
    """Say how each plugin is, and why it is not active."""
    from plugbay.app.km import look

    found = look()
    if output is Format.JSON:
        print_json([_plain(one) for one in found])
        return
    for one in found:
        print(f"🔌 {one.name} {_version_of(one)} ({one.state}, {one.tier} tier)")
        for line in (one.reason, *one.warnings):
            if line:
                print(f"   {line}")
    if not found:
        print("no plugins: none of the folders has a km-plugin-*")


def install(
    package: Annotated[
        Path, typer.Argument(help="A package of Kilometers, *.kmpkg.", metavar="FILE")
    ],
    into: Annotated[Path, typer.Option("--into", "--folder", help="Where to install.")] = Path(
        "~/.km/plugins"
    ),
) -> None:
    """Install a package of Kilometers, as the rules of km.toml for signatures allow it."""
    from plugbay.km import install_package, read_config

    file = UserFile(package, "FILE", "a package of Kilometers (.kmpkg)").check()
    folder = user_folder(into, "--into", "a folder for plugins", made=True)
    done = install_package(file, folder, read_config())
    signed = f"signed by {done.verdict.publisher}" if done.verdict.publisher else "not verified"
    print(f"installed {done.found.name} {done.found.version} ({signed}): {done.found.path}")
    if done.verdict.warning:
        print(f"warning: {done.verdict.warning}", file=sys.stderr)


def info(
    name: Annotated[str, typer.Argument(help="The plugin's name.", metavar="NAME")],
    output: Output = Format.TABLE,
) -> None:
    """Show all that is known of one plugin."""
    from plugbay.app.km import ago, look

    found = look(name)
    if not found:
        raise NotFound(f"there is no plugin {name!r}; `km plugins list` shows those there are")
    facts = _plain(found[0])
    if output is Format.TABLE:
        facts["features"] = ", ".join(facts["features"])
        facts["warnings"] = "; ".join(facts["warnings"])
        facts["last_activity"] = ago(facts["last_activity"], time.time())
    print_facts(facts, output)


def _plain(one: Status) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": one.version,
        "tier": one.tier,
        "state": str(one.state),
        "reason": one.reason,
        "description": one.description,
        "author": one.author,
        "path": str(one.path),
        "sha256": one.digest,
        "signed_by": one.publisher,
        "user_tier": one.user_tier,
        "features": list(one.features),
        "warnings": one.warnings,
        "last_activity": one.last_activity,
    }


def _version_of(one: Status) -> str:
    return f"v{one.version}" if one.version[:1].isdigit() else one.version


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"km (plugbay {plugbay.__version__})")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None: ...


def use_utf8() -> None:
    """Print marks and signs where the locale is no help, as under `env -i`."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")
