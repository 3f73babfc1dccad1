"""Who the client is, behind proxies, and what the upstream is told of it.

From a peer that is not trusted, every `Forwarded`, `X-Forwarded-*` and `X-Real-IP` is dropped
(anybody can write them, also with `_` for `-`, which CGI-like upstreams take for the same) and
fresh ones are set. From a trusted peer they are kept and extended, and the client is the first
address from the right that is not a trusted proxy: what stands left of it is hearsay.

If a trusted peer sends both kinds, `X-Forwarded-For` counts and `Forwarded` is rewritten from it:
most proxies maintain only the former and let a client's `Forwarded` through.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from plugbay.gateway.message._forwarded_field import Element, parse_forwarded, quote
from plugbay.kernel import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    RawHeaders = list[tuple[bytes, bytes]]
    Fields = tuple[tuple[bytes, bytes], ...]

_REAL_IP = frozenset((b"x-real-ip", b"x_real_ip", b"x-real_ip", b"x_real-ip"))
_MEMO = 4096
_MEMO_KEY = 512


def is_forwarding(name: bytes) -> bool:
    """Whether a field's name, in lower case, says something about hops before."""
    # Not `in`, which for bytes first tries its operand as a number, by way of an exception.
    return name.find(b"forwarded") >= 0 or name in _REAL_IP


class ForwardedPolicy:
    """Rewrites the forwarding fields. Raises `Invalid` if `trusted` holds what is no CIDR block."""

    __slots__ = ("_addresses", "_memo", "_trusted")

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted = _networks(trusted)
        self._addresses: dict[str, tuple[str, bool]] = {}
        self._memo: dict[tuple[str, bytes, bytes, Fields], tuple[str, Fields]] = {}

    def trusts(self, peer: str) -> bool:
        """Whether what `peer` (an IP address) says of the client is believed."""
        return self._address(peer)[1]

    def apply(self, peer: str, scheme: bytes, host: bytes, headers: RawHeaders) -> str:
        """Edit `headers` in place and return the client's address: `tell` for a whole head."""
        found = [field for field in headers if is_forwarding(field[0])]
        for field in found:
            headers.remove(field)
        client, own = self.tell(peer, scheme, host, found)
        headers += own
        return client

    def tell(
        self, peer: str, scheme: bytes, host: bytes, found: RawHeaders | None
    ) -> tuple[str, Fields]:
        """Return the client's address, and the fields that go on instead of those `found`.

        `peer` is the address of the connection, `host` the Host field's value. Where the peer has
        no address (a Unix socket) it is called `unknown` (RFC 7239, 6.2).
        """
        said = tuple(found) if found and self._address(peer)[1] else ()
        key = peer, scheme, host, said
        known = self._memo.get(key)
        if known is None:
            known = self._rewrite(peer, scheme, host, said)
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            if len(host) + sum(len(value) for _, value in said) <= _MEMO_KEY:
                self._memo[key] = known
        return known

    def _rewrite(self, peer: str, scheme: bytes, host: bytes, said: Fields) -> tuple[str, Fields]:
        """Return the client and the fields that say so, given what a trusted peer `said`."""
        chain = _chain(said)
        address = self._address(peer)[0]
        client, origin = self._client(address, chain)
        proto = (_first(said, b"x-forwarded-proto") or origin.proto).lower()
        scheme = proto if proto in (b"http", b"https") else scheme
        host = _first(said, b"x-forwarded-host") or origin.host or host
        own = _fields(chain, address, client, scheme, host)
        rewritten = {name for name, _ in own}
        others = (f for f in said if f[0] not in rewritten and b"_" not in f[0])
        return client, (*own, *others)

    def _client(self, peer: str, chain: Sequence[Element]) -> tuple[str, Element]:
        """Walk from the right to the first address that is not trusted.

        At a node without an address (`unknown`, `_hidden`, garbage) the walk ends: the last proxy
        that is known is then the client.
        """
        client, origin = peer, Element()
        for element in reversed(chain):
            address, trusted = self._address(element.address)
            if address == "unknown":
                break
            client, origin = address, element
            if not trusted:
                break
        return client, origin

    def _address(self, text: str) -> tuple[str, bool]:
        """Return the address in its usual spelling and whether it is trusted. Remembers."""
        known = self._addresses.get(text)
        if known is None:
            known = self._look(text)
            if len(self._addresses) >= _MEMO:
                self._addresses.clear()
            if len(text) <= 64:
                self._addresses[text] = known
        return known

    def _look(self, text: str) -> tuple[str, bool]:
        try:
            address = ip_address(text)
        except ValueError:
            return "unknown", False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return str(address), any(address in network for network in self._trusted)


def _networks(trusted: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    networks: list[IPv4Network | IPv6Network] = []
    for place, block in enumerate(trusted):
        try:
            networks.append(ip_network(block))
        except ValueError as error:
            problem = Problem(f"/trusted_proxies/{place}", str(error), found=block)
            raise Invalid(f"trusted_proxies: {error}", problems=(problem,)) from None
    return tuple(networks)


def _chain(said: Fields) -> list[Element]:
    """Return the nodes that the request passed before this peer, the farthest first."""
    hops = b",".join(value for name, value in said if name == b"x-forwarded-for")
    if hops:
        nodes = (node.strip(" \t") for node in hops.decode("latin-1").split(","))
        return [Element(node=node) for node in nodes if node]
    return parse_forwarded(b",".join(value for name, value in said if name == b"forwarded"))


def _first(said: Fields, name: bytes) -> bytes:
    """Return the first element of the field `name`: the client's own, by convention."""
    for field, value in said:
        if field == name:
            return value.partition(b",")[0].strip()
    return b""


def _fields(chain: Sequence[Element], peer: str, client: str, scheme: bytes, host: bytes) -> Fields:
    own = Element(node=f"[{peer}]" if ":" in peer else peer)
    hops = ", ".join([element.address or "unknown" for element in chain] + [peer])
    nodes = [b"for=" + quote(element.node) for element in (*chain, own)]
    last = b"%b;host=%b;proto=%b" % (nodes[-1], quote(host.decode("latin-1")), scheme)
    return (
        (b"x-forwarded-for", hops.encode("latin-1")),
        (b"x-forwarded-proto", scheme),
        (b"x-forwarded-host", host),
        (b"x-real-ip", client.encode("latin-1")),
        (b"forwarded", b", ".join((*nodes[:-1], last))),
    )
