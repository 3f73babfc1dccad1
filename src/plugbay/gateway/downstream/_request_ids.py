"""Names for requests: unguessable for each process, then counted (eight hexadecimal digits)."""

from __future__ import annotations

import secrets
from itertools import chain, count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOW = [b"%02x" % low for low in range(256)]


def request_ids(turn: Callable[[], None]) -> Iterator[bytes]:
    """Return an endless iterator; only every 256th name has a number formatted for it.

    `turn` is called then, for what is to be done now and then: the others pay nothing for it.
    """
    return chain.from_iterable(_blocks(secrets.token_hex(8), turn))


def _blocks(prefix: str, turn: Callable[[], None]) -> Iterator[Iterator[bytes]]:
    for high in count():
        turn()
        yield map(f"{prefix}-{high:06x}".encode().__add__, _LOW)
