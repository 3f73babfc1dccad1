"""All that the routes use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugbay.kernel import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.admin._authentication import Authentication
    from plugbay.admin._background import Background
    from plugbay.admin._limits import RateLimit
    from plugbay.admin._listings import Listings
    from plugbay.admin._odin_notes import Notes
    from plugbay.admin._options import AdminOptions
    from plugbay.admin._services import Services
    from plugbay.admin._status import StatusBoard
    from plugbay.admin.access import Credentials, Users
    from plugbay.artifacts.sbom import Bills


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the composition root handed over, and what is made of it."""

    services: Services
    options: AdminOptions
    access: Authentication
    background: Background
    board: StatusBoard
    listings: Listings
    bills: Bills
    notes: Notes
    uploads: RateLimit
    since: float
    """When the API came up, by the monotonic clock."""
    document: Callable[[], dict[str, Any]]

    def no_plugin(self, plugin: str) -> NotFound:
        """Say that there is none with this id, and what to do if it lies here."""
        stored = self.services.artifacts.versions(plugin)
        more = f", only its artifact {stored[0].version}: enable that first" if stored else ""
        return NotFound(f"there is no plugin {plugin}{more}")

    @property
    def users(self) -> Users:
        """The users of this installation."""
        return self.access.users

    @property
    def credentials(self) -> Credentials:
        """What they show afterwards."""
        return self.access.credentials
