"""A small client of the admin API, for the commands: one connection a call, problems as errors."""

from __future__ import annotations

import http.client
import json
import secrets
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

API = "/admin/api/v1"
CHUNK = 64 * 1024
_BINARY = "application/octet-stream"


class ApiError(Exception):
    """The admin API refused: `status`, and the problem document (RFC 9457) it answered with."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        title, detail = str(problem.get("title", "refused")), str(problem.get("detail", ""))
        super().__init__(f"{title}: {detail}" if detail else title)
        self.status, self.problem = status, problem


class Unreachable(Exception):
    """Nothing answers at the admin address."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; None if it is empty."""
        return json.loads(self.body) if self.body else None


class AdminClient:
    """Calls the admin API at `url` with a bearer `token`. Raises `Invalid` if it is no URL.

    `timeout` is in seconds, for each time the gateway is waited for.
    """

    def __init__(self, url: str, token: str = "", *, timeout: float = 120.0) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid(f"{url!r} is no address of an admin API: expected http://host:port")
        self._secure, self._address, self._timeout = parts.scheme == "https", parts.netloc, timeout
        self.token = token

    def call(
        self,
        method: str,
        path: str,
        content: object = None,
        *,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request with a JSON body. Raises `ApiError` or `Unreachable`."""
        fields = dict(headers or {})
        body: bytes | None = None
        if content is not None:
            body = json.dumps(content).encode()
            fields["content-type"] = "application/json"
        return self._send(method, _target(path, query), body, fields)

    def upload(
        self,
        path: Path,
        *,
        manifest: bytes = b"",
        signature: bytes = b"",
        config: Mapping[str, Any] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Reply:
        """Stream a file to the artifact store, with the manifest that a binary needs, the
        signature, if there is one, and the configuration that it is to be tried with.

        `progress` gets the bytes sent so far.
        """
        target = _target("/artifacts", {"filename": path.name})
        with path.open("rb") as file:
            size = path.stat().st_size
            tried_with = b"" if config is None else json.dumps(config).encode()
            about = {"manifest": manifest, "signature": signature, "config": tried_with}
            head, tail, kind = _form(about) if any(about.values()) else (b"", b"", _BINARY)
            fields = {"content-type": kind, "content-length": str(len(head) + size + len(tail))}
            return self._send("POST", target, _Progress(file, progress, head, tail), fields)

    def items(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page by page."""
        following: str | None = None
        while True:
            page = self.call("GET", path, query={**query, "next": following}).json
            yield from page["items"]
            following = page.get("next")
            if following is None:
                return

    def tag(self, path: str) -> str | None:
        """Return the entity tag of what is at `path`; None if nothing is there."""
        try:
            return self.call("GET", path).headers.get("etag")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def _send(
        self, method: str, target: str, body: bytes | _Progress | None, headers: dict[str, str]
    ) -> Reply:
        connection = self._connect(timeout=self._timeout)
        try:
            response = self._exchange(connection, method, target, body, headers)
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, fields, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self._address} broke off its answer: {error}") from error
        finally:
            connection.close()

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._address, timeout=timeout)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        body: bytes | _Progress | None,
        headers: dict[str, str],
    ) -> http.client.HTTPResponse:
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, target, body=body, headers=headers)
        except (BrokenPipeError, ConnectionResetError):
            # A refusal of an upload may come before its end: read why.
            pass
        except OSError as error:
            detail = f"nothing answers at {self._address} ({error.strerror or error})"
            remedy = "is `plugbay serve` running? --url says where"
            raise Unreachable(f"{detail}; {remedy}") from error
        try:
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self._address} broke off the exchange: {error}") from error
        if response.status >= 400:
            raise ApiError(response.status, _problem(response.read()))
        return response


class _Progress:
    """A file, with something around it, that tells how much of it was read. `http.client` reads
    it in blocks."""

    def __init__(
        self,
        file: IO[bytes],
        progress: Callable[[int], None] | None,
        head: bytes = b"",
        tail: bytes = b"",
    ) -> None:
        self._file, self._progress, self._head, self._tail = file, progress, head, tail

    def read(self, size: int = CHUNK) -> bytes:
        if self._head:
            data, self._head = self._head, b""
            return data
        data = self._file.read(size)
        if self._progress is not None:
            self._progress(self._file.tell())
        if not data:
            data, self._tail = self._tail, b""
        return data


def _form(about: Mapping[str, bytes]) -> tuple[bytes, bytes, str]:
    """Return what comes before and behind the file in a form with these fields, and its type."""
    mark = secrets.token_hex(16)
    part = f'--{mark}\r\ncontent-disposition: form-data; name="'
    file = f'{part}file"; filename="plugin"\r\ncontent-type: {_BINARY}\r\n\r\n'
    fields = (
        f'{part}{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in about.items()
        if value
    )
    return (
        b"".join(fields) + file.encode(),
        f"\r\n--{mark}--\r\n".encode(),
        f"multipart/form-data; boundary={mark}",
    )


def segment(text: str) -> str:
    """Quote one segment of a path."""
    return quote(text, safe="")


def _target(path: str, query: Mapping[str, object] | None) -> str:
    kept = {name: value for name, value in (query or {}).items() if value is not None}
    mark = "&" if "?" in path else "?"
    return f"{API}{path}{mark}{urlencode(kept)}" if kept else f"{API}{path}"


def _problem(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {"title": "refused", "detail": body[:200].decode("latin-1")}
    return value if isinstance(value, dict) else {"title": "refused", "detail": str(value)}  # pyright: ignore[reportUnknownVariableType] - JSON
