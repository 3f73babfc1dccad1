"""How an endpoint is, for whoever looks after it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """How a server or a federation is. `former` counts the sessions that go on with settings
    from before the last change, `busy` says whether a response is open, `resting` that it has
    crashed so often that it is not started now."""

    sessions: int = 0
    former: int = 0
    busy: bool = False
    resting: bool = False
