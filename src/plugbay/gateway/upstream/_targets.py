"""The live state of one target of an upstream, shared by balancing and health."""

from __future__ import annotations

from plugbay.kernel import Invalid, Problem

UNIX = "unix:"


class TargetState:
    """What the data plane knows of one target now.

    `in_flight` is the count of exchanges with it; the data plane adds and subtracts. `healthy`
    is what the active checks say, `ejected_until` (monotonic seconds) what the passive ones say.
    """

    __slots__ = ("address", "ejected_until", "failures", "healthy", "in_flight", "weight")

    def __init__(self, address: str, weight: int = 1) -> None:
        self.address = address
        self.weight = weight
        self.in_flight = 0
        self.healthy = True
        self.ejected_until = 0.0
        self.failures = 0
        """Failures in a row."""

    def usable(self, now: float) -> bool:
        return self.healthy and self.ejected_until <= now

    def __repr__(self) -> str:
        health = "healthy" if self.healthy else "unhealthy"
        return f"<TargetState {self.address} [{health}, {self.in_flight} in flight]>"


def split_address(address: str, default: int) -> tuple[str, int]:
    """Split `host:port`, `[v6]:port` or a host alone, whose port is `default`. Raises `Invalid`.

    `unix:/path` is a socket in the file system, and comes back whole.
    """
    if address.startswith(UNIX):
        return address, 0
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, port = address, str(default)
    if not port.isdecimal() or not host:
        detail = f"a target is host:port, not {address!r}"
        raise Invalid(detail, problems=(Problem("/targets", detail, found=address),))
    return host.strip("[]"), int(port)
