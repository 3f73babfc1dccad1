"""`plugbay monitor`: plugins between an MCP client and a server over stdio."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugbay.kernel import Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    from plugbay.app._local_plugins import LocalPlugin

CONTEXT = {"allow_interspersed_args": False, "ignore_unknown_options": False}
"""Options end where the command begins: what follows is the command's own."""


def monitor(
    command: Annotated[
        list[str], typer.Argument(help="The server's command, best behind `--`.", metavar="CMD")
    ],
    server: Annotated[
        str, typer.Option(help="The server's name, as plugins see it; default: the command's.")
    ] = "",
    plugin: Annotated[
        list[str] | None,
        typer.Option("-p", "--plugin", help="A plugin: its name, folder or wheel; repeatable."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Configure: PLUGIN.KEY=VALUE, in TOML.", metavar="SETTING"),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Record every message in this file, without secrets.")
    ] = None,
    identity: Annotated[
        str, typer.Option(help="Who the client is, for policies; default: the user.")
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", help="Swap a plugin when its files change.")
    ] = False,
    grace: Annotated[
        float, typer.Option(help="Seconds that the server gets to end.", min=0.1, max=60)
    ] = 2.0,
    max_message: Annotated[int, typer.Option(help="Bytes of one message at most.", min=1024)] = 16
    * 1024
    * 1024,
    log_file: Annotated[Path | None, typer.Option(help="Log there, not to standard error.")] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Log more.")] = False,
) -> None:
    """Run an MCP server and pass every message through plugins; exit with the server's code.

    SIGUSR1 swaps all plugins while calls are in flight. Exit code 127: no such command.
    """
    # Imported here: no other command needs the runtime.
    from plugbay.app.monitor import MISSING, NOT_RUNNABLE, MonitorOptions
    from plugbay.app.monitor import monitor as run

    options = MonitorOptions(
        command=tuple(command),
        server="" if server == "--" else server,
        identity=identity,
        plugins=chosen_plugins(plugin or [], set_ or [], record),
        follow=follow,
        grace=grace,
        max_message=max_message,
        log_file=log_file,
        log_level="info" if verbose else "warning",
    )
    try:
        code = run(options)
    except NotFound as error:
        print(f"plugbay: {error.detail}", file=sys.stderr)
        code = MISSING
    except Unavailable as error:
        print(f"plugbay: {error.detail}", file=sys.stderr)
        code = NOT_RUNNABLE
    sys.exit(code)


def chosen_plugins(
    names: list[str], settings: list[str], record: Path | None
) -> tuple[LocalPlugin, ...]:
    """Return the plugins that options name. Raises `NotFound`, and `Invalid` for a setting."""
    from plugbay.app._local_plugins import LocalPlugin, find_plugin

    configs = _configs(settings)
    if record is not None:
        names = [*names, "recorder"]
        configs.setdefault("recorder", {})["path"] = str(record.absolute())
    plugins = tuple(
        LocalPlugin(path=find_plugin(name), config=configs.pop(Path(name).name, {}))
        for name in names
    )
    if configs:
        raise Invalid(f"--set names plugins that are not there: {', '.join(sorted(configs))}")
    return plugins


def _configs(settings: list[str]) -> dict[str, dict[str, Any]]:
    import tomllib

    configs: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        plugin, dot, key = name.partition(".")
        if not dot or not key or "=" not in setting:
            raise Invalid(f"{setting!r}: expected PLUGIN.KEY=VALUE")
        try:
            value = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            value = text
        configs.setdefault(plugin, {})[key] = value
    return configs
