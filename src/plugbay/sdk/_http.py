"""The request and the response that travel through a chain.

Header fields are kept as the data plane has them: a list of `(name, value)` byte pairs with
lower-case names, in the order of arrival. `Headers` is a friendly view over that list; what a
plugin changes through it is what is sent (RFC 9110, section 5).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self, overload
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Mapping

    RawHeaders = list[tuple[bytes, bytes]]
    BodyReader = Callable[[int], Awaitable[bytes]]

_CONTROL = frozenset(b"\r\n\0")


def _encode(name: str, value: str) -> tuple[bytes, bytes]:
    raw = name.lower().encode("ascii"), value.encode("latin-1")
    # The usual text is printable, at a fraction of the cost of looking at each byte.
    if not (name and name.isprintable() and value.isprintable()):
        _check(name, raw)
    return raw


def _check(name: str, raw: tuple[bytes, bytes]) -> None:
    if not raw[0] or not _CONTROL.isdisjoint(raw[0]) or not _CONTROL.isdisjoint(raw[1]):
        raise ValueError(f"header {name!r} is empty or has a line break or NUL in it")


class Headers:
    """A view over header fields: names are case-insensitive, values are `str` (Latin-1).

    `raw` is the underlying list; it is shared with the data plane, not copied.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: RawHeaders | None = None) -> None:
        self.raw: RawHeaders = [] if raw is None else raw

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Headers:
        """Build headers from text; raises `ValueError` for a line break or NUL."""
        return cls([_encode(name, value) for name, value in fields.items()])

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of `name`, or `default`."""
        wanted = name.lower().encode("latin-1")
        for field, value in self.raw:
            if field == wanted:
                return value.decode("latin-1")
        return default

    def get_all(self, name: str) -> list[str]:
        """Return every value of `name`, in order."""
        wanted = name.lower().encode("latin-1")
        return [value.decode("latin-1") for field, value in self.raw if field == wanted]

    def add(self, name: str, value: str) -> None:
        """Append a field; raises `ValueError` for a line break or NUL."""
        raw = name.lower().encode("ascii"), value.encode("latin-1")
        if not (name and name.isprintable() and value.isprintable()):
            _check(name, raw)
        self.raw.append(raw)

    def set(self, name: str, value: str) -> None:
        """Replace every field `name` by one; raises `ValueError` for a line break or NUL."""
        pair = _encode(name, value)
        self.raw[:] = [field for field in self.raw if field[0] != pair[0]]
        self.raw.append(pair)

    def remove(self, name: str) -> None:
        """Remove every field `name`; it need not be there."""
        wanted = name.lower().encode("latin-1")
        self.raw[:] = [field for field in self.raw if field[0] != wanted]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, value in self.raw:
            yield name.decode("latin-1"), value.decode("latin-1")

    def __len__(self) -> int:
        return len(self.raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.raw == other.raw

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"


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
        self.headers = (
            headers
            if isinstance(headers, Headers)
            else Headers.of(headers)
            if headers
            else Headers()
        )
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


class BodyTooLarge(Exception):
    """The request's body is longer than the plugin was willing to buffer."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request body is longer than {limit} bytes")
        self.limit = limit


class Response:
    """A response: one that a filter answers with, or the upstream's on its way back.

    `body` is the bytes that a plugin answers with, an async iterable of chunks, or a `Drip`; it is
    None for an upstream's response, whose body streams past and is open to a `BodyFilter` only.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        headers: Headers | Mapping[str, str] | None = None,
        body: bytes | AsyncIterable[bytes] | None = b"",
    ) -> None:
        self.status = status
        self.headers = (
            headers
            if isinstance(headers, Headers)
            else Headers.of(headers)
            if headers
            else Headers()
        )
        self.body = body

    @classmethod
    def received(cls, status: int, raw: RawHeaders) -> Self:
        """Make one of what a data plane has read, whose body streams past."""
        self = cls.__new__(cls)
        self.status = status
        self.headers = headers = Headers.__new__(Headers)
        headers.raw = raw
        self.body = None
        return self

    @classmethod
    def json(cls, value: object, status: int = 200) -> Response:
        """Answer with `value` as JSON (RFC 8259)."""
        body = json.dumps(value, separators=(",", ":")).encode()
        return cls(status, {"content-type": "application/json"}, body)

    @classmethod
    def text(cls, text: str, status: int = 200) -> Response:
        """Answer with plain text in UTF-8."""
        return cls(status, {"content-type": "text/plain; charset=utf-8"}, text.encode())

    @classmethod
    def problem(
        cls,
        status: int,
        title: str,
        *,
        detail: str = "",
        type: str = "about:blank",
        retry_after: float | None = None,
        **extensions: object,
    ) -> Response:
        """Answer with problem details (RFC 9457); `retry_after` is in seconds."""
        content: dict[str, object] = {"type": type, "title": title, "status": status}
        if detail:
            content["detail"] = detail
        fields = {"content-type": "application/problem+json"}
        if retry_after is not None:
            fields["retry-after"] = str(max(0, -int(-retry_after // 1)))
        body = json.dumps({**content, **extensions}, separators=(",", ":")).encode()
        return cls(status, fields, body)

    def __repr__(self) -> str:
        return f"<Response {self.status}>"
