"""What of the MCP servers that are asked for cannot run on this machine.

It is looked at in the supervisor, before a change is planned and again when it is made. The process
that starts the servers is the supervisor's child, with its user, environment and working directory:
what is found here is found there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from plugbay.app._references import References
from plugbay.app.mcp._environment import filled, plain_environment
from plugbay.kernel import Problem, pointer_token
from plugbay.mcp import is_runnable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from plugbay.mcp.serving import McpSpec, ServerSpec

INSTALL = "install it for the user that runs the gateway, or give its whole path"


def problems_here(spec: McpSpec, known: McpSpec, secrets: Path) -> Iterator[Problem]:
    """Yield what of `spec` cannot run on this machine now, with names in the pointers; what `known`
    has is not looked at."""
    references = References(secrets)
    for server in spec.servers:
        if server not in known.servers:
            yield from _of_server(server, references)
    for federation in spec.federations:
        if federation in known.federations:
            continue
        for index, member in enumerate(federation.members):
            at = f"/mcp/federations/{federation.name}/members/{index}/headers"
            yield from _unset(references, member.headers, at)


def _of_server(server: ServerSpec, references: References) -> Iterator[Problem]:
    at = f"/mcp/servers/{server.name}"
    unset = list(_unset(references, server.env, f"{at}/env"))
    yield from unset
    if server.directory and not os.path.isdir(server.directory):
        what = "a directory that is there"
        yield Problem(f"{at}/directory", "cannot be entered", what, server.directory, "make it")
    elif not unset:
        env = {**plain_environment(), **filled(references, server.env)}
        if not is_runnable(server.command, env, server.directory or None):
            yield _no_program(server, env, f"{at}/command")


def _no_program(server: ServerSpec, env: Mapping[str, str], at: str) -> Problem:
    """Say what was looked for, and where."""
    command = server.command
    if os.sep in command:
        place = os.path.abspath(os.path.join(server.directory, command))
        places, expected = [place], f"a program at {place}"
    else:
        path = env.get("PATH", os.defpath)
        places = [os.path.join(folder, command) for folder in path.split(os.pathsep)]
        # A path that was put together with a secret is not told.
        told = server.env["PATH"] if "${secret:" in server.env.get("PATH", "") else path
        expected = f"a program in PATH, which is {told}"
    for place in places:
        if os.path.isfile(place):
            detail = "may not be executed by the user that runs the gateway"
            return Problem(at, detail, expected, place, f"chmod +x {place}")
    return Problem(at, f"there is no command {command!r}", expected, command, INSTALL)


def _unset(references: References, values: Mapping[str, str], at: str) -> Iterator[Problem]:
    for name, value in values.items():
        try:
            references.fill(value)
        except KeyError as error:
            detail, where = "it refers to what is not there", f"{at}/{pointer_token(name)}"
            yield Problem(where, f"{detail}: {error.args[0]}", "a reference to what is set", value)
