"""`plugbay user …`: who may sign in, and with which roles."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugbay.cli._client import segment
from plugbay.cli._commands import Commands
from plugbay.cli._files import UserFile
from plugbay.cli._options import URL, Output, Token, Url
from plugbay.cli._output import Format, print_json, print_rows
from plugbay.cli._session import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COLUMNS = ("name", "roles", "disabled", "second_factor", "source")
Name = Annotated[str, typer.Argument(help="The user's name.", metavar="NAME")]
Roles = Annotated[
    list[str],
    typer.Option("--role", help="viewer, publisher, operator, security or admin. Repeatable."),
]
PasswordFile = Annotated[
    Path | None, typer.Option(help="Read the password from a file; else it is asked for.")
]


def add(
    name: Name,
    role: Roles,
    password_file: PasswordFile = None,
    url: Url = URL,
    token: Token = "",
) -> None:
    """Add a user with a first password."""
    wish = {"name": name, "roles": role, "password": read_password(password_file, name)}
    Target(url, token).client().call("POST", "/users", wish)
    print(f"added {name}: {', '.join(role)}")


def list_(url: Url = URL, token: Token = "", output: Output = Format.TABLE) -> None:
    """List the users."""
    users = Target(url, token).client().call("GET", "/users").json["items"]
    if output is Format.JSON:
        print_json(users)
        return
    rows = [{**user, "roles": ", ".join(user["roles"])} for user in users]
    print_rows(rows, COLUMNS, output, empty="there is no user")


def disable(
    name: Name,
    again: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
    url: Url = URL,
    token: Token = "",
) -> None:
    """Lock a user out: sessions and tokens are worth nothing at once."""
    client = Target(url, token).client()
    client.call("PATCH", f"/users/{segment(name)}", {"disabled": not again})
    print(f"{name} may sign in again" if again else f"{name} is locked out")


def roles(name: Name, role: Roles, url: Url = URL, token: Token = "") -> None:
    """Give a user other roles, in the place of those there are."""
    Target(url, token).client().call("PATCH", f"/users/{segment(name)}", {"roles": role})
    print(f"{name}: {', '.join(role)}")


def passwd(
    name: Annotated[
        str, typer.Argument(help="Somebody else; default: oneself.", metavar="NAME")
    ] = "",
    current_file: Annotated[
        Path | None, typer.Option(help="Read one's current password from a file.")
    ] = None,
    password_file: PasswordFile = None,
    url: Url = URL,
    token: Token = "",
) -> None:
    """Set a password: one's own, or as an administrator somebody else's."""
    client = Target(url, token).client()
    if name:
        wish = {"password": read_password(password_file, name)}
        client.call("PUT", f"/users/{segment(name)}/password", wish)
    else:
        current = read_password(
            current_file, "", prompt="Current password: ", option="--current-file"
        )
        fresh = read_password(password_file, "")
        client.call("PUT", "/me/password", {"current": current, "password": fresh})
    print("the password is set; the other sessions have ended")


def remove(name: Name, url: Url = URL, token: Token = "") -> None:
    """Remove a user with all sessions and tokens."""
    Target(url, token).client().call("DELETE", f"/users/{segment(name)}")
    print(f"{name} is removed")


COMMANDS: Mapping[str, Callable[..., None]] = {
    "add": add,
    "list": list_,
    "disable": disable,
    "passwd": passwd,
    "roles": roles,
    "remove": remove,
}
EXAMPLES = {
    "add": ("plugbay user add ann --role operator",),
    "roles": ("plugbay user roles ann --role viewer --role publisher",),
}


def build() -> typer.Typer:
    """Return the group of commands."""
    group = Commands("Who may sign in, and with which roles.")
    for name, command in COMMANDS.items():
        group.add(name, command, *EXAMPLES.get(name, ()))
    return group


def read_password(
    file: Path | None, user: str, *, prompt: str = "", option: str = "--password-file"
) -> str:
    """Return the password in `file`, or ask for it without showing it. Raises `Invalid`."""
    if file is not None:
        return UserFile(file, option, "a password").text().strip()
    return getpass.getpass(prompt or (f"Password of {user}: " if user else "New password: "))
