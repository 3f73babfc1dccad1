"""Groups of commands, with what all commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

import typer
from typer.core import TyperCommand

from plugbay.cli._output import Format

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS = {Path: "PATH", str: "TEXT", int: "NUMBER", float: "NUMBER"}
"""What stands for a value in help, by its type."""


class Command(TyperCommand):
    """A command as all are: values have names, and `--json` is `--output json` where there is
    such an `--output`."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        for one in self.params:
            if one.metavar is None:
                one.metavar = _metavar(one)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, the short form of one in full."""
        if any(isinstance(one.default, Format) for one in self.params):
            own = args.index("--") if "--" in args else len(args)
            args = ["--output=json" if one == "--json" else one for one in args[:own]] + args[own:]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage, required ones as they are."""
        pieces: list[str] = super().collect_usage_pieces(ctx)
        return [one.replace("{", "").replace("}", "") for one in pieces]

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first words of the help, of which none is cut."""
        return " ".join((self.help or "").split()).partition(". ")[0].partition("; ")[0].rstrip(".")


class Commands(typer.Typer):
    """A group that shows its help when it is called alone."""

    def __init__(self, help: str, **more: Any) -> None:
        settings: dict[str, Any] = {"no_args_is_help": True, "pretty_exceptions_enable": False}
        # Plain help: boxes leave half of a terminal's 80 columns.
        super().__init__(help=help, rich_markup_mode=None, **{**settings, **more})

    def add(
        self,
        name: str,
        command: Callable[..., None],
        *examples: str,
        context: dict[str, Any] | None = None,
    ) -> None:
        """Add a command. Examples are shown at the end of its help, a line each."""
        lines = "\n".join(("\b", "Examples:" if examples[1:] else "Example:", *examples))
        epilog = lines if examples else None
        self.command(name, cls=Command, epilog=epilog, context_settings=context)(command)


def _metavar(param: Any) -> str | None:
    if param.param_type_name == "argument":
        return str(param.name).rstrip("_").upper()
    kind = param.type_descriptor.annotation
    return _WORDS.get(get_args(kind)[0] if get_origin(kind) is list else kind)
