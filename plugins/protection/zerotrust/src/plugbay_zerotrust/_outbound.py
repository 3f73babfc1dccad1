"""Small JSON documents from issuers."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from http.client import HTTPMessage
    from typing import IO

_LARGEST = 256 * 1024
_SECONDS = 5.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: it might lead inside."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def get_json(url: str) -> dict[str, Any]:
    """Fetch an object. Raises `OSError`, or `ValueError` for what is none or not over TLS."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("keys are fetched over https only")
    opener = urllib.request.build_opener(_Stay)
    with opener.open(url, timeout=_SECONDS) as answer:
        raw = answer.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ValueError(f"longer than {_LARGEST} bytes")
    found = json.loads(raw)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return cast("dict[str, Any]", found)
