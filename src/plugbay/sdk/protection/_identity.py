"""Who a request comes from, worked out once for all plugins."""

from __future__ import annotations

import hashlib
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from plugbay.sdk._request import Request

STATE_KEY: Final = "protection.identity"
_MEMO = 65_536
_LONGEST = 64


class Identity:
    """Who asks: the client's `address`, and an API `key` or `session` if the request shows one.

    They are texts such as `192.0.2.1`, `2001:db8::/64`, `key:9f86d081884c7d65` and
    `session:60303ae22b998861`: of a secret only a hash is kept. A key that nobody has checked
    proves nothing: whoever limits by it limits the address as well.
    """

    __slots__ = ("address", "client", "key", "session")

    def __init__(self, client: str, address: str, key: str = "", session: str = "") -> None:
        self.client, self.address, self.key, self.session = client, address, key, session

    @property
    def names(self) -> tuple[str, ...]:
        """All that is known, the strongest first."""
        return tuple(name for name in (self.session, self.key, self.address) if name)

    def __repr__(self) -> str:
        return f"<Identity {' '.join(self.names)}>"


class Identities:
    """Tells who asks. `key_header` and `session_cookie` may be empty: then nothing is read there.

    The answer is stored with the request: plugins behind that are configured alike, or read no
    secret, get the same.
    """

    __slots__ = ("_cookie", "_header", "_memo", "_secret", "_state")

    def __init__(self, key_header: str = "", session_cookie: str = "") -> None:
        self._header, self._cookie = key_header.lower(), session_cookie
        self._secret = bool(key_header or session_cookie)
        self._state = f"{STATE_KEY} {self._header} {self._cookie}" if self._secret else STATE_KEY
        self._memo: dict[str, Identity] = {}

    def of(self, request: Request) -> Identity:
        """Return who asks."""
        state = request.state
        known: Identity | None = state.get(self._state)
        if known is None:
            client = request.client
            known = self._memo.get(client) or self._remember(client)
            if self._secret:
                known = self._secrets(request, known)
                state[STATE_KEY] = known
            state[self._state] = known
        return known

    def _remember(self, client: str) -> Identity:
        if len(self._memo) >= _MEMO:
            self._memo.clear()
        made = Identity(client, address_identity(client))
        if len(client) <= _LONGEST:
            self._memo[client] = made
        return made

    def _secrets(self, request: Request, plain: Identity) -> Identity:
        key = request.headers.get(self._header, "") if self._header else ""
        session = _cookie(request, self._cookie) if self._cookie else ""
        if not key and not session:
            return plain
        named = f"key:{_hash(key)}" if key else ""
        return Identity(
            plain.client, plain.address, named, f"session:{_hash(session)}" if session else ""
        )


def address_identity(client: str) -> str:
    """Return what stands for an address: IPv4 itself, of IPv6 the /64 that one site has.

    Text that is no address stands for itself. RFC 4291, 2.5.4: an interface has 64 bits of its
    own, so a client has them all.
    """
    if ":" not in client:
        return client
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return client


def _hash(secret: str) -> str:
    return hashlib.blake2b(secret.encode("latin-1", "replace"), digest_size=8).hexdigest()


def _cookie(request: Request, name: str) -> str:
    for field in request.headers.get_all("cookie"):
        for pair in field.split(";"):
            found, _, value = pair.strip().partition("=")
            if found == name:
                return value
    return ""
