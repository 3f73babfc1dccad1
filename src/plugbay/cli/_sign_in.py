"""`plugbay login` and `plugbay logout`."""

from __future__ import annotations

import getpass
import http
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugbay.cli._client import AdminClient, ApiError
from plugbay.cli._files import UserFile
from plugbay.cli._options import URL, Url
from plugbay.cli._session import Kept, keep_token, kept_token

if TYPE_CHECKING:
    from collections.abc import Callable

DAYS = 30.0


def login(
    user: Annotated[str, typer.Option(help="Who signs in.")] = "admin",
    password_file: Annotated[
        Path | None, typer.Option(help="Read the password from a file; else it is asked for.")
    ] = None,
    code: Annotated[
        str, typer.Option(help="The second factor's code; asked for if there is one.")
    ] = "",
    days: Annotated[
        float, typer.Option(help="Days for which the token is valid.", min=0.01)
    ] = DAYS,
    url: Url = URL,
) -> None:
    """Sign in, and keep a token for the other commands (mode 0600)."""
    if password_file is None:
        password = getpass.getpass()
    else:
        password = UserFile(password_file, "--password-file", "a password").text().strip()
    fresh = issue_token(url, user, password, days=days, code=code, ask=_ask_code)
    place = keep_token(url, fresh)
    print(f"signed in as {user}; the token is in {place}, good for {days:g} days")


def logout(url: Url = URL) -> None:
    """Revoke the token that `login` has kept, and forget it."""
    token = kept_token(url)
    if not token.secret:
        print(f"not signed in at {url}")
        return
    try:
        AdminClient(url, token.secret).call("DELETE", f"/tokens/{token.id}")
    except ApiError as error:
        if error.status not in (401, 404):  # it has ended by itself
            raise
    keep_token(url, None)
    print("signed out")


def sign_in(url: str, user: str, password: str, *, days: float = DAYS) -> str:
    """Return a new bearer token with all that the user may do. Raises `ApiError`."""
    return issue_token(url, user, password, days=days).secret


def _ask_code() -> str:
    return getpass.getpass("Code of the second factor: ")


def issue_token(
    url: str,
    user: str,
    password: str,
    *,
    days: float = DAYS,
    code: str = "",
    ask: Callable[[], str] | None = None,
) -> Kept:
    """Make a token with all that the user may do; the session for it is ended at once.

    Where there is a second factor, `ask` is called for its code unless `code` is given. Raises
    `ApiError`.
    """
    client = AdminClient(url)
    session = client.call("POST", "/sessions", {"username": user, "password": password})
    if session.status == http.HTTPStatus.ACCEPTED:
        shown = code or (ask() if ask else "")
        wish = {"challenge": session.json["challenge"], "code": shown}
        session = client.call("POST", "/sessions/second-factor", wish)
    cookie = session.headers["set-cookie"].partition(";")[0]
    headers = {"cookie": cookie, "x-csrf-token": session.json["csrf"]}
    mine = client.call("GET", "/me", headers={"cookie": cookie}).json["permissions"]
    wish = {
        "name": f"plugbay on {socket.gethostname()}",
        "scopes": mine,
        "expires_in": days * 86400,
    }
    fresh = client.call("POST", "/tokens", wish, headers=headers).json
    client.call("DELETE", "/sessions/current", headers=headers)
    return Kept(fresh["token"]["id"], fresh["secret"])
