"""The request that travels through a chain to its upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl

from plugbay.sdk._headers import Headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from plugbay.sdk._headers import RawHeaders

    BodyReader = Callable[[int], Awaitable[bytes]]


class BodyTooLarge(Exception):
    """The request's body is longer than the plugin was willing to buffer."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request body is longer than {limit} bytes")
        self.limit = limit


class Request:
    """A request on its way to an upstream. A filter changes it in place.

    `target` is the request target as received, in origin form (RFC 9112, section 3.2.1), after
    the gateway has removed dot segments. `client` is the address of the client, seen through
    trusted proxies. `id` is the request id. `state` is a scratch dictionary that the plugins of
    one request share; it is created on first use.
    """

    __slots__ = (
        "_path",
        "_query",
        "_reader",
        "_state",
        "_target",
        "authority",
        "client",
        "headers",
        "http_version",
        "id",
        "method",
        "route",
        "scheme",
    )

    def __init__(
        self,
        method: str,
        target: str | bytes,
        *,
        headers: Headers | Mapping[str, str] | None = None,
        authority: str = "",
        scheme: str = "http",
        client: str = "",
        id: str = "",
        route: str = "",
        http_version: str = "1.1",
        reader: BodyReader | None = None,
    ) -> None:
        self.method = method
        self.headers = headers if isinstance(headers, Headers) else Headers.of(headers or {})
        self.authority = authority
        self.scheme = scheme
        self.client = client
        self.id = id
        self.route = route
        self.http_version = http_version
        self._target = target if isinstance(target, bytes) else target.encode("latin-1")
        self._path: str | None = None
        self._query: str | None = None
        self._reader = reader
        self._state: dict[str, Any] | None = None

    @classmethod
    def received(
        cls,
        method: str,
        target: bytes,
        raw: RawHeaders,
        authority: str,
        scheme: str,
        client: str,
        id: str,
        http_version: str,
        reader: BodyReader | None,
    ) -> Self:
        """Make one of what a data plane has read; the positional form of the constructor.

        Keyword arguments of a class cost a dictionary each time, which counts once per request.
        """
        self = cls.__new__(cls)
        self.method = method
        self.headers = headers = Headers.__new__(Headers)
        headers.raw = raw
        self.authority = authority
        self.scheme = scheme
        self.client = client
        self.id = id
        self.route = ""
        self.http_version = http_version
        self._target = target
        self._path = self._query = self._state = None
        self._reader = reader
        return self

    @property
    def target(self) -> bytes:
        """The request target as it will be sent: path, and query if any."""
        return self._target

    @target.setter
    def target(self, value: bytes) -> None:
        if not value.startswith((b"/", b"*")) or any(
            byte <= 0x20 or byte == 0x7F for byte in value
        ):
            raise ValueError(f"request target must start with '/' and hold no space: {value!r}")
        self._target = value
        self._path = self._query = None

    @property
    def path(self) -> str:
        """The path, percent-encoded as received."""
        if self._path is None:
            self._split()
        return self._path or ""

    @path.setter
    def path(self, value: str) -> None:
        query = self.query
        self.target = (f"{value}?{query}" if query else value).encode("latin-1")

    @property
    def query(self) -> str:
        """The query without the question mark, as received; empty if there is none."""
        if self._query is None:
            self._split()
        return self._query or ""

    @query.setter
    def query(self, value: str) -> None:
        self.target = (f"{self.path}?{value}" if value else self.path).encode("latin-1")

    def _split(self) -> None:
        path, _, query = self._target.partition(b"?")
        self._path, self._query = path.decode("latin-1"), query.decode("latin-1")

    @property
    def params(self) -> list[tuple[str, str]]:
        """The query's decoded `(name, value)` pairs, in order."""
        return parse_qsl(self.query, keep_blank_values=True)

    @property
    def state(self) -> dict[str, Any]:
        """A dictionary that lives as long as the request; plugins hand each other facts in it."""
        if self._state is None:
            self._state = {}
        return self._state

    @property
    def has_body(self) -> bool:
        """Whether a body comes with it; one of unknown length may turn out to be empty."""
        return self._reader is not None

    async def read(self, limit: int) -> bytes:
        """Buffer the whole body and return it; the upstream still gets it.

        Raises `BodyTooLarge` if it is longer than `limit` bytes. Only for coroutine hooks.
        """
        return b"" if self._reader is None else await self._reader(limit)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self._target.decode('latin-1')} [{self.id or '-'}]>"
