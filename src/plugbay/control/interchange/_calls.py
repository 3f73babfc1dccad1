"""What every importer ends in: calls of a server, and what became of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plugbay.gateway import RouteSpec, UpstreamSpec

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9._:-]+").fullmatch
_SAFE = "!$&'()*+,;=:@-._~"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that routes cannot say, or that was not imported, and where it stands."""

    where: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the importing operator says.

    `variables` come before the document's own. The routes take requests for `hosts` (none: any),
    or with `keep_hosts` those for the host names of the servers. `name` begins the routes' names;
    empty: the document's title. `server` replaces the servers of an OpenAPI document.
    """

    name: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    hosts: tuple[str, ...] = ()
    keep_hosts: bool = False
    server: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """Routes and upstreams, ordered by name, and all that needs a word."""

    routes: tuple[RouteSpec, ...]
    upstreams: tuple[UpstreamSpec, ...]
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class Server:
    """Where calls go."""

    scheme: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """As a target has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Call:
    """One request that a document describes. In `path`, None stands for what varies."""

    where: str
    method: str
    server: Server
    path: tuple[str | None, ...]


def read_server(url: str) -> tuple[Server, list[str]]:
    """Return the server of an absolute URL and the segments of its path. Raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is no http or https URL with a host")
    if not _HOST(parts.hostname):
        raise ValueError(
            f"{parts.hostname!r} is no host name: write it in ASCII, without variables"
        )
    if parts.username or parts.password:
        raise ValueError("the URL has a user and a password, which routes do not send")
    server = Server(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])
    return server, parts.path.split("/")


def literal(segment: str) -> str:
    """Return a segment in its normal spelling. Raises `ValueError` if no route can have it."""
    plain = unquote(segment, errors="strict")
    if plain in (".", "..") or any(c in "/\\" or not c.isprintable() for c in plain):
        raise ValueError(f"the segment {segment!r} is not allowed in paths")
    return quote(plain, safe=_SAFE)


def path_of(segments: Sequence[str | None]) -> tuple[str | None, ...]:
    """Return the segments without empty ones, but for one at the end: a final slash.

    Raises `ValueError`.
    """
    kept = [literal(part) if part else part for part in segments if part != ""]
    return (*kept, "") if kept and segments[-1] == "" else tuple(kept)
