"""`plugbay plugin …`: from a new folder to a plugin that is swapped under load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from plugbay.cli import _project, _push, _slots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COMMANDS: Mapping[str, Callable[..., None]] = {
    "new": _project.new,
    "build": _project.build,
    "check": _project.check,
    "push": _push.push,
    "list": _slots.list_,
    "info": _slots.info,
    "enable": _slots.enable,
    "disable": _slots.disable,
    "reload": _slots.reload,
    "rollback": _slots.rollback,
    "pin": _slots.pin,
    "unpin": _slots.unpin,
    "configure": _slots.configure,
    "logs": _slots.logs,
}


def build() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(help="Make, upload, enable, swap and watch plugins.", no_args_is_help=True)
    for name, command in COMMANDS.items():
        group.command(name)(command)
    return group
