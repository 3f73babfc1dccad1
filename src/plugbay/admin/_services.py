"""What the admin API needs of the rest, as it sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.admin._audit import Audit
    from plugbay.admin._credentials import Credentials
    from plugbay.admin._limits import SignInThrottle
    from plugbay.admin._options import AdminOptions
    from plugbay.admin._users import Users
    from plugbay.kernel import Clock
    from plugbay.storage import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the composition root hands over."""

    database: Database
    clock: Clock
    audit: Audit


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that the routes use."""

    services: Services
    options: AdminOptions
    users: Users
    credentials: Credentials
    throttle: SignInThrottle
    document: Callable[[], dict[str, Any]]
