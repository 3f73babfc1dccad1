"""What the HTTP side of an MCP server must refuse before it looks at a message's meaning.

MCP, transports: Streamable HTTP (2025-11-25 and 2026-07-28). The codes here are the
specification's own, for this is a server's side of the transport.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from plugbay.mcp._answers import error_answer
from plugbay.mcp._codec import INVALID_REQUEST, decode
from plugbay.mcp._json import as_object, params_of
from plugbay.mcp._methods import TARGETS
from plugbay.mcp.http._header_values import header_text
from plugbay.mcp.http._param_headers import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plugbay.mcp._codec import Envelope
    from plugbay.mcp.serving._declared import Declared

MODERN = "2026-07-28"
HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
HEADER_MISMATCH, UNSUPPORTED_VERSION, INVALID_PARAMS = -32020, -32022, -32602
METHOD_NOT_FOUND = -32601
REMOVED = (
    "initialize",
    "ping",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
)
"""Methods that the stateless era has no more."""
STATUS = {
    -32700: 400,
    -32600: 400,
    -32602: 400,
    HEADER_MISMATCH: 400,
    -32021: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}
"""The status of a response that is an error, in the stateless era."""
VERSION = "io.modelcontextprotocol/protocolVersion"
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
_ROUTING = ("mcp-protocol-version", "mcp-method", "mcp-name")
_LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status, and a JSON-RPC error as the body."""

    status: int
    body: bytes = b""


class Fields:
    """Header fields by lower-case names, without the white space around their values."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._all: dict[str, list[str]] = {}
        for name, value in raw:
            text = value.decode("latin-1").strip(" \t")
            self._all.setdefault(name.decode("latin-1").lower(), []).append(text)

    def starting(self, prefix: str) -> dict[str, str]:
        """Return the fields whose names begin so, by their names."""
        return {name: found[0] for name, found in self._all.items() if name.startswith(prefix)}

    def get(self, name: str, default: str = "") -> str:
        """Return the first value."""
        found = self._all.get(name)
        return found[0] if found else default

    def repeated(self, names: Sequence[str]) -> str:
        """Return the first of `names` that is there more than once."""
        return next((name for name in names if len(self._all.get(name, ())) > 1), "")

    def __contains__(self, name: object) -> bool:
        return name in self._all

    def accepts(self, *kinds: str) -> bool:
        """Whether each of these media types may be answered (RFC 9110, 12.5.1)."""
        said = ",".join(self._all.get("accept", ["*/*"])).lower()
        ranges = {part.partition(";")[0].strip() for part in said.split(",")}
        return all({kind, "*/*", f"{kind.partition('/')[0]}/*"} & ranges for kind in kinds)


def check_origin(fields: Fields, allowed: Sequence[str]) -> Refusal | None:
    """Refuse a browser's page from elsewhere: its name may have been bound to our address."""
    origin = fields.get("origin")
    if not origin or origin in allowed or urlsplit(origin).hostname in _LOCAL:
        return None
    return Refusal(403, error_answer(None, INVALID_REQUEST, "Invalid Origin header"))


def check_modern(fields: Fields, envelope: Envelope, raw: bytes) -> Refusal | None:
    """See that a request of the stateless era is whole, and that its header fields agree."""
    params = params_of(raw)
    meta = as_object(params.get("_meta"))
    if envelope.method == "initialize":
        # A server of both eras would take it for the beginning of a session.
        text = "Method not found"
        return Refusal(404, error_answer(envelope.id, METHOD_NOT_FOUND, text))
    missing = [key for key in (VERSION, _CAPABILITIES) if key not in meta]
    if missing:
        text = f"params._meta lacks {', '.join(missing)}"
        return _refuse(envelope, INVALID_PARAMS, text)
    if repeated := fields.repeated(_ROUTING):
        return _refuse(envelope, HEADER_MISMATCH, f"{repeated} is there more than once")
    wanted = {"mcp-protocol-version": meta[VERSION], "mcp-method": envelope.method}
    name = params.get(TARGETS.get(envelope.method, ""))
    if name is not None:
        wanted["mcp-name"] = name
    for field, value in wanted.items():
        if field not in fields or header_text(fields.get(field)) != value:
            return _refuse(envelope, HEADER_MISMATCH, f"{field} does not say what the body says")
    return None


async def check_params(
    fields: Fields, envelope: Envelope, raw: bytes, declared: Declared
) -> Refusal | None:
    """See that the header fields of a call say what its arguments say."""
    if envelope.method != "tools/call":
        return None
    said = fields.starting(PREFIX)
    if repeated := fields.repeated(tuple(said)):
        return _refuse(envelope, HEADER_MISMATCH, f"{repeated} is there more than once")
    why = await declared.mismatch(said, params_of(raw))
    return _refuse(envelope, HEADER_MISMATCH, why) if why else None


def plain_status(raw: bytes) -> int:
    """Return the status of a response in the era of sessions: an answer is an answer, whatever it
    says."""
    del raw
    return 200


def modern_status(raw: bytes) -> int:
    """Return the status of a response in the stateless era: errors have their own."""
    if b'"error"' not in raw[-65536:] and b'"error"' not in raw[:65536]:
        return 200
    code: object = as_object(as_object(decode(raw)).get("error")).get("code", 0)
    return STATUS.get(code, 200) if isinstance(code, int) else 200


def _refuse(envelope: Envelope, code: int, text: str) -> Refusal:
    return Refusal(400, error_answer(envelope.id, code, text))
