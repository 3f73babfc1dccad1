"""Runs `plugbay monitor`, however its arguments were read."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugbay.cli._monitor_arguments import parse
from plugbay.kernel import Invalid, NotFound, PlugbayError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plugbay.app.local._plugins import LocalPlugin
    from plugbay.app.monitor import MonitorOptions


def wrap(arguments: Sequence[str], program: str = "plugbay") -> None:
    """Run it and end the process; return if the arguments need somebody else to explain them."""
    # Until there is a plugin that could be swapped; by default it would end the process.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    found = parse(arguments)
    if found is not None:
        sys.exit(run(vars(found), program))


def run(values: Mapping[str, Any], program: str = "plugbay") -> int:
    """Run it with these arguments and return the exit code."""
    from plugbay.app.monitor import MISSING, NOT_RUNNABLE, monitor

    try:
        options = _options(values)
    except PlugbayError as error:
        return _say(program, error, 1)
    try:
        return monitor(options)
    except NotFound as error:
        return _say(program, error, MISSING)
    except Unavailable as error:
        return _say(program, error, NOT_RUNNABLE)
    except PlugbayError as error:
        return _say(program, error, 1)


def _say(program: str, error: PlugbayError, code: int) -> int:
    sys.stderr.write(f"{program}: {error.detail}\n")
    return code


def _options(values: Mapping[str, Any]) -> MonitorOptions:
    from plugbay.app.monitor import MonitorOptions
    from plugbay.mcp import RestartPolicy

    server = values["server"]
    return MonitorOptions(
        command=tuple(values["command"]),
        server="" if server == "--" else server,
        identity=values["identity"],
        plugins=chosen_plugins(values["plugin"] or (), values["set_"] or (), values["record"]),
        follow=values["follow"],
        grace=values["grace"],
        max_message=values["max_message"],
        restart=RestartPolicy() if values["restart"] else None,
        log_file=values["log_file"],
        log_level="debug" if values["verbose"] else "info",
    )


def chosen_plugins(
    names: Sequence[str], settings: Sequence[str], record: Path | None
) -> tuple[LocalPlugin, ...]:
    """Return the plugins that options name. Raises `NotFound`, and `Invalid` for a setting."""
    from plugbay.app.local._plugins import LocalPlugin, find_plugin

    configs = _configs(settings)
    if record is not None:
        if record.is_dir():
            raise Invalid(f"--record {record}: expected a place for a file, found a folder")
        names = [*names, "recorder"]
        configs.setdefault("recorder", {})["path"] = str(record.absolute())
    plugins = tuple(
        LocalPlugin(path=find_plugin(name), config=configs.pop(Path(name).name, {}))
        for name in names
    )
    if configs:
        strange = ", ".join(sorted(configs))
        raise Invalid(f"--set is for plugins that --plugin names, and not for {strange}")
    return plugins


def _configs(settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    import tomllib

    configs: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        plugin, dot, key = name.partition(".")
        if not dot or not key or "=" not in setting:
            raise Invalid(f"--set {setting}: expected PLUGIN.KEY=VALUE, e.g. recorder.chain=true")
        try:
            value = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            value = text
        configs.setdefault(plugin, {})[key] = value
    return configs
