"""What a client has told a server that a fresh process in its place must be told again."""

from __future__ import annotations

from plugbay.mcp._codec import Malformed, decode, encode, read_envelope
from plugbay.mcp._json import as_object, params_of, result_of

LARGEST = 65536
"""Bytes of a message that may be one of these; they are small."""
MARK = "plugbay-replay-"
"""Ids of requests of our own begin so; no client hears of their answers."""
_METHODS = frozenset(
    (
        "initialize",
        "notifications/initialized",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
    )
)
_WORDS = (b"initialize", b"logging/setLevel", b"resources/subscribe", b"resources/unsubscribe")
_LISTS = ("tools", "prompts", "resources")


class Replay:
    """The handshake of one session, its log level and its subscriptions."""

    def __init__(self) -> None:
        self._initialize: bytes = b""
        self._initialized: bytes = b""
        self._level: bytes = b""
        self._subscriptions: dict[str, bytes] = {}

    def sent(self, data: bytes) -> None:
        """Look at lines that go to the server."""
        if any(word in data for word in _WORDS):
            for line in data.split(b"\n"):
                if line and len(line) <= LARGEST:
                    self._look(line)

    def _look(self, raw: bytes) -> None:
        try:
            method = read_envelope(raw).method
        except Malformed:
            return
        if method in _METHODS:
            self._keep(method, raw)

    def _keep(self, method: str, raw: bytes) -> None:
        if method == "initialize":
            self._initialize = _renumbered(raw, 0)
        elif method == "notifications/initialized":
            self._initialized = raw
        elif method == "logging/setLevel":
            self._level = _renumbered(raw, 1)
        else:
            uri = str(params_of(raw).get("uri", ""))
            self._subscriptions.pop(uri, None)
            if method == "resources/subscribe":
                self._subscriptions[uri] = _renumbered(raw, 2 + len(self._subscriptions))

    @property
    def first(self) -> bytes:
        """The `initialize`, whose answer must be awaited; empty if there was none."""
        return self._initialize

    @property
    def others(self) -> tuple[bytes, ...]:
        """What follows it."""
        found = (self._initialized, self._level, *self._subscriptions.values())
        return tuple(raw for raw in found if raw)


def is_replayed(raw: bytes) -> bool:
    """Whether a server's message answers a request of ours."""
    if MARK.encode() not in raw[:LARGEST]:
        return False
    try:
        envelope = read_envelope(raw)
    except Malformed:
        return False
    return envelope.kind in ("response", "error") and str(envelope.id).startswith(MARK)


def changed_lists(answer: bytes) -> list[bytes]:
    """Return the notifications that a fresh server's lists may differ, as its answer to
    `initialize` says it would send them."""
    capabilities = as_object(result_of(answer).get("capabilities"))
    return [
        encode({"jsonrpc": "2.0", "method": f"notifications/{name}/list_changed"})
        for name in _LISTS
        if b'"listChanged":true' in encode(capabilities.get(name))
    ]


def _renumbered(raw: bytes, number: int) -> bytes:
    return encode({**decode(raw), "id": f"{MARK}{number}"})
