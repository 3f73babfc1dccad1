"""How an endpoint is, for whoever looks after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

EndpointState = Literal["running", "restarting", "resting", "degraded", "stopped"]
"""`stopped`: there is nobody to serve, and the next client starts it. `resting`: it has crashed so
often that it is not started now. `degraded`: members of the federation are down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """How a server or a federation is. Times are seconds since the Unix epoch, 0: never; what is
    counted is counted since the process that runs the servers was started."""

    state: EndpointState = "stopped"
    sessions: int = 0
    former: int = 0
    """Sessions that go on with settings from before the last change."""
    stateless: bool = False
    """Whether clients without sessions (2026-07-28) are served by a process."""
    versions: tuple[str, ...] = ()
    """The protocol versions of those who are served."""
    busy: bool = False
    """Whether a response is open."""
    resting: bool = False
    """Whether it has crashed so often that it is not started now."""
    requests: int = 0
    """Requests of clients that have come here: past all plugins."""
    tools: tuple[str, ...] = ()
    """Their names, as a client was told last; empty until one has asked."""
    processes: int = 0
    """Of a server: those that run, in federations too."""
    since: float = 0.0
    """When the oldest of these was started."""
    restarts: int = 0
    retry_at: float = 0.0
    """When one that has ended is started again."""
    error: str = ""
    """What went wrong last."""
    error_at: float = 0.0
    stderr: str = ""
    """The line of its standard error before that; for those who may change servers."""
    down: dict[str, str] = field(default_factory=dict[str, str])
    """Of a federation: the members that are down, and why."""
