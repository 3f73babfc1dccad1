"""`plugbay plugin …`: from a new folder to a plugin that is swapped under load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.cli import _project, _push, _slots
from plugbay.cli._commands import Commands

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import typer

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
EXAMPLES = {
    "new": ("plugbay plugin new hello",),
    "build": ("plugbay plugin build hello",),
    "check": (
        "plugbay plugin check hello",
        "plugbay plugin check km-plugin-a --manifest plugbay.toml",
    ),
    "push": (
        "plugbay plugin push hello --enable",
        "plugbay plugin push km-plugin-a --manifest plugbay.toml",
    ),
    "enable": ("plugbay plugin enable hello --version 1.2.0",),
    "rollback": ("plugbay plugin rollback hello --reason 'too slow'",),
    "configure": (
        "plugbay plugin configure hello limit=100 'api_key=${secret:key}'",
        "plugbay plugin configure hello --file hello.toml",
    ),
}


def build() -> typer.Typer:
    """Return the group of commands."""
    group = Commands("Plugins of the gateway, from source to swap.")
    for name, command in COMMANDS.items():
        group.add(name, command, *EXAMPLES.get(name, ()))
    return group
