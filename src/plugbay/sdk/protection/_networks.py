"""A set of networks that answers quickly whether an address is in it."""

from __future__ import annotations

import socket
from bisect import bisect_right
from ipaddress import ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MEMO = 16_384


class Networks:
    """IPv4 and IPv6 blocks (CIDR, or single addresses). Raises `ValueError` for what is neither.

    A lookup is a dictionary's for an address that was asked before, else a binary search.
    """

    __slots__ = ("_four", "_memo", "_six")

    def __init__(self, blocks: Iterable[str] = ()) -> None:
        networks = [ip_network(block.strip(), strict=False) for block in blocks]
        spans = [(n.version, int(n.network_address), int(n.broadcast_address)) for n in networks]
        self._four = _merged((low, high) for version, low, high in spans if version == 4)
        self._six = _merged((low, high) for version, low, high in spans if version == 6)
        self._memo: dict[str, bool] = {}

    def __contains__(self, address: str) -> bool:
        known = self._memo.get(address)
        if known is None:
            known = self._look(address)
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            if len(address) <= 64:
                self._memo[address] = known
        return known

    def __bool__(self) -> bool:
        return bool(self._four[0] or self._six[0])

    def _look(self, address: str) -> bool:
        found = number_of(address)
        if found is None:
            return False
        version, number = found
        lows, highs = self._four if version == 4 else self._six
        at = bisect_right(lows, number) - 1
        return at >= 0 and number <= highs[at]


def number_of(address: str) -> tuple[int, int] | None:
    """Return version and number of an IP address; None for text that is none.

    An IPv4 address that is mapped into IPv6 (RFC 4291, 2.5.5.2) is the IPv4 address.
    """
    try:
        if ":" not in address:
            return 4, int.from_bytes(socket.inet_aton(_dotted(address)))
        number = int.from_bytes(socket.inet_pton(socket.AF_INET6, address.partition("%")[0]))
    except (OSError, ValueError):
        return None
    if number >> 32 == 0xFFFF:
        return 4, number & 0xFFFF_FFFF
    return 6, number


def _dotted(address: str) -> str:
    """Return it; raises `ValueError` for a short form such as `127.1`, which `inet_aton` takes."""
    if address.count(".") != 3 or not address.isascii() or " " in address:
        raise ValueError(address)
    return address


def _merged(spans: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
    lows: list[int] = []
    highs: list[int] = []
    for low, high in sorted(spans):
        if highs and low <= highs[-1] + 1:
            highs[-1] = max(highs[-1], high)
        else:
            lows.append(low)
            highs.append(high)
    return lows, highs
