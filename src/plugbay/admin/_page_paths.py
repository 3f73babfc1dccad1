"""Which paths are pages for people, and what somebody who is not signed in gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from litestar.types import HTTPScope, Send

HOME = "/admin"
SIGN_IN_PAGE = "/admin/sign-in"
STATIC = "/admin/static/"
_API = "/admin/api"
_READS = frozenset({"GET", "HEAD"})


def is_page(scope: HTTPScope) -> bool:
    """Whether a person's browser asks for a page, and not a program for an answer."""
    path = scope["path"]
    if scope["method"] not in _READS or path == _API or path.startswith((f"{_API}/", STATIC)):
        return False
    return path in ("/", HOME) or path.startswith(f"{HOME}/")


async def send_to_sign_in(scope: HTTPScope, send: Send) -> None:
    """Answer with a redirection to the form; it leads back afterwards."""
    query = scope["query_string"].decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    place = SIGN_IN_PAGE if wanted in ("/", HOME) else f"{SIGN_IN_PAGE}?next={quote(wanted)}"
    headers = [(b"location", place.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def safe_next(wanted: str) -> str:
    """Where to go after the sign-in: only to our own pages, or a link could lead anywhere."""
    own = wanted.startswith(f"{HOME}/") and not wanted.startswith((_API, SIGN_IN_PAGE))
    plain = "\\" not in wanted and "//" not in wanted.partition("?")[0]
    return wanted if own and plain and wanted.isprintable() else HOME
