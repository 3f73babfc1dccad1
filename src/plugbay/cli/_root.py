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
from plugbay.cli._commands import Commands
from plugbay.cli._output import print_problem
from plugbay.kernel import PlugbayError

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED, UNREACHABLE, NOT_ALLOWED = 1, 3, 4
"""Exit codes; 2 is the usage error of every command line."""


def build() -> typer.Typer:
    """Return the command line as one Typer application."""
    root = Commands(
        "A gateway whose every capability is a plugin, swapped while traffic flows.",
        name="plugbay",
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 done, 1 refused or failed, 2 usage, 3 no answer, 4 not allowed.",
    )
    root.callback()(_options)
    root.add("serve", _serve.serve, "plugbay serve --demo", "plugbay serve --config gateway.toml")
    root.add("check", _serve.check, "plugbay check --config gateway.toml")
    root.add("login", _sign_in.login, "plugbay login --user ann --url https://gateway:8081")
    root.add("logout", _sign_in.logout)
    root.add("plan", _declare.plan, "plugbay plan routes.toml")
    root.add("apply", _declare.apply, "plugbay apply routes.toml --reason 'new upstream'")
    root.add("match", _match.match, "plugbay match -X POST /api/orders?page=2")
    root.add("bench", _bench.bench, "plugbay bench http://127.0.0.1:8080/json -c 32 -d 5")
    root.add("backup", _artifacts.backup, "plugbay backup gateway.tar --data-dir .plugbay")
    root.add("restore", _artifacts.restore, "plugbay restore gateway.tar --data-dir .plugbay")
    root.add("keygen", _sign.keygen, "plugbay keygen acme.key")
    root.add("sign", _sign.sign, "plugbay sign hello-1.0.0-py3-none-any.whl --key acme.key")
    root.add("verify", _sign.verify, "plugbay verify km-plugin-a --key acme.key.pub")
    root.add("doctor", _doctor.doctor)
    root.add("monitor", _monitor.monitor, *_monitor.EXAMPLES, context=_monitor.CONTEXT)
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
        print_problem({**error.problem, **remedy}, name)
        sys.exit(NOT_ALLOWED if error.status in (401, 403) else REFUSED)
    except Unreachable as error:
        print_problem({"title": str(error)}, name)
        sys.exit(UNREACHABLE)
    except PlugbayError as error:
        problems = [
            {"pointer": p.pointer, "detail": p.detail, "remedy": p.remedy} for p in error.problems
        ]
        # No title: it is of an answer of the API, such as "The request cannot be read".
        print_problem({"title": error.detail, "errors": problems}, name)
        sys.exit(REFUSED)
    except OSError as error:
        if error.filename is None:
            raise
        said = f"{error.filename}: {error.strerror}"  # of a file that was named
        print_problem({"title": said}, name)
        sys.exit(REFUSED)


def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_version),
    ] = False,
) -> None: ...
