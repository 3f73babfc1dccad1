"""`plugbay serve` and `plugbay check`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from plugbay.cli._files import UserFile
from plugbay.cli._options import CONFIG, Config
from plugbay.kernel import Invalid


def serve(
    config: Config = None,
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
    path = settings_file(config) if config or CONFIG.exists() else None
    settings = load(path, os.environ)
    if data_dir is not None:
        settings = replace(settings, data_dir=str(data_dir))
    if demo and path is None:
        settings = replace(settings, log=replace(settings.log, format="console", level="warning"))
    run(settings, config=path, demo=demo, ready_file=ready_file, say=_say)


def _say(text: str) -> None:
    """Print at once, also when a file or a log is written."""
    print(text, flush=True)


def settings_file(path: Path | None) -> Path:
    """Return the file that holds the settings. Raises `Invalid` if it cannot be read."""
    remedy = "docs/reference/settings.md has every key; without a file, defaults count"
    return UserFile(path or CONFIG, "--config", "settings (TOML)", remedy).check()


def check(
    file: Annotated[
        Path | None, typer.Argument(help="The same as --config.", show_default=False)
    ] = None,
    config: Config = None,
    env: Annotated[
        str, typer.Option(help="Read gateway.ENV.toml over it.", envvar="PLUGBAY_ENV")
    ] = "",
) -> None:
    """Check a settings file, as `serve` would read it; exit with 1 if it is wrong."""
    from plugbay.app.check import check_extras, check_isolation
    from plugbay.settings import VARIABLE, load

    if file and config and file != config:
        raise Invalid(f"{file} or --config {config}? Name one file")
    path = settings_file(file or config)
    settings = load(path, {**os.environ, VARIABLE: env})
    check_extras(settings)
    for note in check_isolation(settings.processes):
        print(f"note: {note}", file=sys.stderr)
    print(
        f"{path}: good: {len(settings.listeners)} listeners, {len(settings.upstreams)} upstreams,"
        f" {len(settings.routes)} routes, {len(settings.plugins)} plugins"
    )
