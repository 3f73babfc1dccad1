"""What the endpoints share: bodies, tokens, cookies, refusals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from plugbay.sdk import BodyTooLarge, Response

if TYPE_CHECKING:
    from plugbay.sdk import Request

    from ._config import Config

_LARGEST = 32 * 1024
_BEARER = "bearer "


class Refused(Exception):
    """An answer that ends the work on a request."""

    def __init__(self, status: int, title: str, **more: Any) -> None:
        super().__init__(title)
        self.response = Response.problem(status, title, **more)
        self.response.headers.set("cache-control", "no-store")


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent. Raises `Refused`.

    The type must be JSON's: a form of another site cannot send that without being asked for.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "Unsupported Media Type")
    try:
        found = json.loads(await request.read(_LARGEST))
    except BodyTooLarge:
        raise Refused(413, "Content Too Large") from None
    except (ValueError, RecursionError):
        raise Refused(400, "Bad Request") from None
    if not isinstance(found, dict):
        raise Refused(400, "Bad Request")
    return cast("dict[str, Any]", found)


def check_origin(request: Request, config: Config) -> None:
    """Raises `Refused` if a page of another site asks (Fetch: the `Origin` header field)."""
    origin = request.headers.get("origin")
    if origin is None or origin in config.origins:
        return
    if origin.partition("://")[2] != request.authority:
        raise Refused(403, "Forbidden")


def text_of(body: dict[str, Any], name: str, most: int = 256) -> str:
    """Return a text of the body. Raises `Refused`."""
    found = body.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= most:
        raise Refused(400, "Bad Request", detail=f"{name} must be a text")
    return found


def token_of(request: Request, cookie: str) -> str:
    """Return the session's token, or a JWT, that a request shows; empty if none."""
    headers = request.headers
    authorization = headers.get("authorization")
    if authorization is not None and authorization[:7].lower() == _BEARER:
        return authorization[7:].strip()
    named = headers.get("x-ztna-session")
    if named is not None:
        return named
    for field in headers.get_all("cookie"):
        for pair in field.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == cookie:
                return value
    return ""


def strip(request: Request, cookie: str, signed_in: bool) -> None:
    """Take away what the upstream must not see, or must not believe."""
    headers = request.headers
    for field in ("x-ztna-user", "x-ztna-roles", "x-ztna-session"):
        if field in headers:
            headers.remove(field)
    if signed_in and headers.get("authorization", "")[:7].lower() == _BEARER:
        headers.remove("authorization")  # the session's token: a JWT is left to the upstream
    fields = headers.get_all("cookie")
    if not any(cookie in field for field in fields):
        return
    pairs = [pair.strip() for field in fields for pair in field.split(";")]
    left = [pair for pair in pairs if pair and pair.partition("=")[0] != cookie]
    headers.remove("cookie")
    if left:
        headers.set("cookie", "; ".join(left))


def cookie_of(config: Config, token: str) -> str:
    """Return the field that sets the session's cookie, or takes it away (RFC 6265)."""
    age = int(config.session_absolute) if token else 0
    secure = "; Secure" if config.secure else ""
    return f"{config.cookie}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"


def answer(content: dict[str, Any], status: int = 200) -> Response:
    """Return JSON that nobody may keep."""
    response = Response.json(content, status)
    response.headers.set("cache-control", "no-store")
    return response
