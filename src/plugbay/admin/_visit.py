"""What is known of one request, from the border to the audit log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.admin._access import Principal


@dataclass(slots=True)
class Visit:
    """One request as the border sees it."""

    id: str
    address: str
    limited_as: str
    principal: Principal | None = None
    status: int = 0
    location: str = ""
    limits: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """A tighter limit than the general one, told instead of it."""
    act: str = ""
    """What the route is called; the routes also set what follows, for the audit log."""
    actor: str = ""
    """Of a request whose sender is only known in the end, such as a sign-in."""
    kind: str = ""
    target: str = ""
    before: str = ""
    after: str = ""
    operation: str = ""
    detail: str = ""
    audited: bool = False
    """It is an act though its method is safe."""
    reads: bool = False
    """It changes nothing though its method is not safe, such as a trial of a configuration."""
    recorded: bool = False
    muted: bool = False
    """The answer has been replaced."""
