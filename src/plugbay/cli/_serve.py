"""`plugbay serve` and `plugbay check`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

CONFIG = Path("gateway.toml")


def serve(
    config: Annotated[
        Path | None, typer.Option(help="Settings; default: ./gateway.toml if it is there.")
    ] = None,
    env: Annotated[
        str, typer.Option(help="Read gateway.ENV.toml over gateway.toml.", envvar="PLUGBAY_ENV")
    ] = "",
    data_dir: Annotated[Path | None, typer.Option(help="Where state and plugins are kept.")] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Add a sample upstream and the example plugins.")
    ] = False,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write a JSON file with all addresses when ready.")
    ] = None,
) -> None:
    """Run the gateway until Ctrl-C; then requests in flight end first."""
    # Imported here, as in `check`: no other command needs the whole gateway.
    from plugbay.app.serve import serve as run
    from plugbay.settings import VARIABLE, load

    if env:
        os.environ[VARIABLE] = env  # also for when the files are read again
    path = config or (CONFIG if CONFIG.exists() else None)
    settings = load(path, os.environ)
    if data_dir is not None:
        settings = replace(settings, data_dir=str(data_dir))
    if demo and path is None:
        settings = replace(settings, log=replace(settings.log, format="console", level="warning"))
    run(settings, config=path, demo=demo, ready_file=ready_file, say=_say)


def _say(text: str) -> None:
    """Print at once, also when a file or a log is written."""
    print(text, flush=True)


def check(
    config: Annotated[Path, typer.Argument(help="The settings file.")] = CONFIG,
    env: Annotated[
        str, typer.Option(help="Read gateway.ENV.toml over it.", envvar="PLUGBAY_ENV")
    ] = "",
) -> None:
    """Check a settings file, as `serve` would read it; exit with 1 if it is wrong."""
    from plugbay.app.check import check_extras, check_isolation
    from plugbay.settings import VARIABLE, load

    settings = load(config, {**os.environ, VARIABLE: env})
    check_extras(settings)
    for note in check_isolation(settings.processes):
        print(f"note: {note}", file=sys.stderr)
    print(
        f"{config}: good: {len(settings.listeners)} listeners, {len(settings.upstreams)} upstreams,"
        f" {len(settings.routes)} routes, {len(settings.plugins)} plugins"
    )
