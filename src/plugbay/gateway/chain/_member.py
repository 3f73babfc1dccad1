"""A plugin as a member of the gateway's chains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.kernel import Generation
    from plugbay.sdk import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One generation of a plugin, and how the operator wants it to run.

    `closed`: a request is refused if a hook raises, is late or may not be called; else the
    plugin is skipped. `routes` names the routes it runs on; empty means all. A `pre-routing`
    plugin runs before there is a route, so on every request. `limits_ms` is the time that a
    coroutine hook has; 0 is no limit.
    """

    id: str
    generation: Generation
    order: Order
    closed: bool
    routes: tuple[str, ...] = ()
    limits_ms: float = 1000.0
