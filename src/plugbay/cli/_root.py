"""The root of the command line: which commands there are, and what their failures print."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

import plugbay
from plugbay.cli import (
    _artifacts,
    _audit,
    _bench,
    _bundle,
    _declare,
    _doctor,
    _interchange,
    _km,
    _match,
    _mcp,
    _monitor,
    _plugin,
    _serve,
    _sign,
    _sign_in,
    _token,
    _user,
)
from plugbay.cli._client import ApiError, Unreachable
from plugbay.cli._output import print_problem
from plugbay.kernel import PlugbayError

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED, UNREACHABLE, NOT_ALLOWED = 1, 3, 4
"""Exit codes; 2 is the usage error of every command line."""


def build() -> typer.Typer:
    """Return the command line as one Typer application."""
    root = typer.Typer(
        name="plugbay",
        help="A gateway whose every capability is a plugin, swapped while traffic flows.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 done, 1 refused or failed, 2 usage, 3 no answer, 4 not allowed.",
    )
    root.callback()(_options)
    root.command("serve")(_serve.serve)
    root.command("check")(_serve.check)
    root.command("login")(_sign_in.login)
    root.command("logout")(_sign_in.logout)
    root.command("plan")(_declare.plan)
    root.command("apply")(_declare.apply)
    root.command("match")(_match.match)
    root.command("bench")(_bench.bench)
    root.command("backup")(_artifacts.backup)
    root.command("keygen")(_sign.keygen)
    root.command("sign")(_sign.sign)
    root.command("verify")(_sign.verify)
    root.command("restore")(_artifacts.restore)
    root.command("doctor")(_doctor.doctor)
    root.command("monitor", context_settings=_monitor.CONTEXT)(_monitor.monitor)
    root.add_typer(_plugin.build(), name="plugin")
    root.add_typer(_km.build(), name="plugins")
    root.add_typer(_bundle.build(), name="bundle")
    root.add_typer(_mcp.build(), name="mcp")
    root.add_typer(_artifacts.build(), name="artifacts")
    root.add_typer(_interchange.build_import(), name="import")
    root.add_typer(_interchange.build_export(), name="export")
    root.add_typer(_user.build(), name="user")
    root.add_typer(_token.build(), name="token")
    root.add_typer(_audit.build(), name="audit")
    return root


def _version(wanted: bool) -> None:
    if wanted:
        print(f"plugbay {plugbay.__version__}")
        raise typer.Exit


def run() -> None:
    """Run the command; end the process with its exit code."""
    # Said, not guessed: it is called by other names too, such as `python -m plugbay`.
    _run(build(), "plugbay")


def run_km() -> None:
    """The same for the command `km`."""
    _run(_km.build_km(), "km")


def _run(application: Callable[..., object], name: str) -> None:
    _km.use_utf8()
    try:
        application(prog_name=name)
    except ApiError as error:
        remedy = {"detail": "plugbay login, or give --token"} if error.status == 401 else {}
        print_problem({**error.problem, **remedy})
        sys.exit(NOT_ALLOWED if error.status in (401, 403) else REFUSED)
    except Unreachable as error:
        print_problem({"title": str(error)})
        sys.exit(UNREACHABLE)
    except PlugbayError as error:
        problems = [
            {"pointer": p.pointer, "detail": p.detail, "remedy": p.remedy} for p in error.problems
        ]
        print_problem({"title": error.title, "detail": error.detail, "errors": problems})
        sys.exit(REFUSED)
    except OSError as error:
        if error.filename is None:
            raise
        print_problem({"title": f"{error.filename}: {error.strerror}"})  # a file that was named
        sys.exit(REFUSED)


def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_version),
    ] = False,
) -> None: ...
