"""HTTP to an identity provider: small, over TLS, with a deadline and a size that is bounded.

`http.client` in a thread: the supervisor calls so seldom that a pool would have nothing to do.
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import json
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from plugbay.kernel import Invalid, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 1024 * 1024
SECONDS = 10.0
CHUNK = 64 * 1024
AGENT = "plugbay"


class Outbound:
    """Fetches JSON. It follows no redirection, and speaks plain HTTP to loopback only."""

    def __init__(self, *, seconds: float = SECONDS, most: int = MOST_BYTES) -> None:
        self._seconds, self._most = seconds, most

    async def get(self, url: str, *, token: str = "") -> Any:
        """Raises `Unavailable` if nothing good comes back, `Invalid` for a bad address."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await asyncio.to_thread(self._ask, "GET", url, None, headers)

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Any:
        """Send a form. Raises like `get`."""
        kind = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        return await asyncio.to_thread(self._ask, "POST", url, body, {**kind, **headers})

    def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        parts = check_url(url)
        host, port = parts.hostname or "", parts.port
        ends = time.monotonic() + self._seconds
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                host, port, timeout=self._seconds, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._seconds)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"accept": "application/json", "user-agent": AGENT, **headers}
        try:
            connection.request(method, target, body, sent)
            response = connection.getresponse()
            content = self._read(response, connection, ends)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{host} does not answer: {error!r}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise Unavailable(f"{host} has answered {response.status} to {method} {parts.path}")
        try:
            return json.loads(content)
        except ValueError:
            raise Unavailable(f"{host} has answered {parts.path} with no JSON") from None

    def _read(
        self,
        response: http.client.HTTPResponse,
        connection: http.client.HTTPConnection,
        ends: float,
    ) -> bytes:
        """All of the body, before the deadline and below the limit. Raises `OSError`."""
        content = b""
        while True:
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError("it takes too long")
            if connection.sock is not None:
                connection.sock.settimeout(left)
            chunk = response.read1(CHUNK)
            if not chunk:
                return content
            content += chunk
            if len(content) > self._most:
                raise OSError(f"the answer has more than {self._most} bytes")


def check_url(url: str) -> Any:
    """Split an address that may be called. Raises `Invalid`: secrets go over TLS."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return parts
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return parts
    raise Invalid(f"{url!r} is not https, and not on this machine")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
