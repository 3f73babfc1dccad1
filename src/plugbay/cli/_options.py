"""The options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugbay.cli._completion import known_plugins
from plugbay.cli._output import Format
from plugbay.cli._session import DEFAULT_URL
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

Url = Annotated[
    str, typer.Option(envvar="PLUGBAY_ADMIN_URL", help="Where the admin API is.", metavar="URL")
]
Token = Annotated[
    str,
    typer.Option(envvar="PLUGBAY_TOKEN", help="A bearer token; default: the one `login` has kept."),
]
Output = Annotated[
    Format, typer.Option("-o", "--output", help="How to print; --json is short for -o json.")
]
Config = Annotated[
    Path | None,
    typer.Option("-c", "--config", help="The settings; default: ./gateway.toml."),
]
Wait = Annotated[
    float,
    typer.Option(help="Seconds to wait for the change's end; 0 does not wait.", min=0, max=300),
]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the operation.")]
Plugin = Annotated[
    str, typer.Argument(help="The plugin's id.", metavar="ID", autocompletion=known_plugins)
]

CONFIG = Path("gateway.toml")
"""The default of `Config`."""
URL = DEFAULT_URL
"""The default of `Url`."""


def assigned(assignments: Iterable[str]) -> dict[str, str]:
    """Return what NAME=VALUE options say. Raises `Invalid`."""
    found: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not name or not equals:
            raise Invalid(f"{assignment!r}: expected NAME=VALUE")
        found[name] = value
    return found
