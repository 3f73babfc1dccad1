"""The options that many commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from plugbay.cli._completion import known_plugins
from plugbay.cli._output import Format
from plugbay.cli._session import DEFAULT_URL

Url = Annotated[
    str, typer.Option(envvar="PLUGBAY_ADMIN_URL", help="Where the admin API is.", metavar="URL")
]
Token = Annotated[
    str,
    typer.Option(envvar="PLUGBAY_TOKEN", help="A bearer token; default: the one `login` has kept."),
]
Output = Annotated[Format, typer.Option("-o", "--output", help="How to print.")]
Wait = Annotated[
    float,
    typer.Option(help="Seconds to wait for the change's end; 0 does not wait.", min=0, max=300),
]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the operation.")]
Plugin = Annotated[
    str, typer.Argument(help="The plugin's id.", metavar="ID", autocompletion=known_plugins)
]

URL = DEFAULT_URL
"""The default of `Url`."""
