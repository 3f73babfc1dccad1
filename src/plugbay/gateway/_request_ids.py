"""Names for requests: unguessable for each process, then counted (eight hexadecimal digits)."""

from __future__ import annotations

import secrets
from itertools import chain, count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOW = [b"%02x" % low for low in range(256)]


def request_ids() -> Iterator[bytes]:
    """Return an endless iterator; only every 256th name has a number formatted for it."""
    prefix = secrets.token_hex(8)
    return chain.from_iterable(
        map(f"{prefix}-{high:06x}".encode().__add__, _LOW) for high in count()
    )
