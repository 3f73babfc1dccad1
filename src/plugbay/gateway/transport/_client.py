"""What is at the client's end: of one exchange, and of the plane.

An exchange does not know whether its client is a connection of HTTP/1.1 or a stream of HTTP/2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from plugbay.gateway._server import HttpDataPlane
    from plugbay.gateway.exchange._exchange import Exchange


class Client(Protocol):
    """Where one exchange comes from and goes to."""

    plane: HttpDataPlane
    peer: str
    scheme: bytes
    mode: int
    writable: bool

    @property
    def total(self) -> float:
        """When the route's time for the whole exchange is over."""
        ...

    @total.setter
    def total(self, value: float) -> None: ...
    @property
    def transport(self) -> asyncio.Transport: ...
    def pause(self, reason: int) -> None:
        """Stop reading for one more reason."""
        ...

    def resume(self, reason: int) -> None:
        """One reason to not read is gone."""
        ...

    def tunnel(self) -> None:
        """Hand on bytes as they are from now on, first what has come already."""
        ...

    def tunnelled(self) -> None:
        """Bytes have gone through the tunnel: its idle time begins again."""
        ...

    def reset(self) -> None:
        """End by a reset, where an end would pass for the end of a body."""
        ...

    def response_done(self, keep: bool) -> None:
        """The response has been written, or will not be any further."""
        ...


class ClientConnection(Protocol):
    """A client's connection as the plane sees it."""

    deadline: float
    total: float

    @property
    def transport(self) -> asyncio.Transport: ...
    def in_flight(self) -> Sequence[Exchange]:
        """Return the exchanges that go on, full ones from now on."""
        ...

    def expire(self) -> None:
        """The deadline has passed."""
        ...

    def expire_total(self) -> None:
        """The time for the whole exchange is over."""
        ...

    def end_if_idle(self) -> None:
        """The plane is draining: end what can end, and take nothing new."""
        ...
