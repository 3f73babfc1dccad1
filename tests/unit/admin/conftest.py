"""An admin API on a real database, and clients that are signed in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from litestar.testing import TestClient

from plugbay.admin import AdminOptions, AuditRecord, Services, create_admin, ensure_first_user
from plugbay.storage import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from litestar import Litestar

V1 = "/admin/api/v1"
BASE = "http://127.0.0.1"


class Clock:
    """Time that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@dataclass
class World:
    """One installation."""

    path: Path
    db: Database
    clock: Clock
    app: Litestar
    client: TestClient[Litestar]
    password: str
    audited: list[AuditRecord] = field(default_factory=list)

    def sign_in(self, user: str = "admin", password: str | None = None) -> dict[str, Any]:
        answer = self.client.post(
            f"{V1}/sessions", json={"username": user, "password": password or self.password}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def token(self, *scopes: str) -> dict[str, str]:
        """Headers with a fresh token of the first user; without scopes: one with all of them."""
        session = self.sign_in()
        csrf = {"x-csrf-token": session["csrf"]}
        granted = self.client.get(f"{V1}/me").json()["permissions"]
        wish = {"name": "test", "scopes": list(scopes) or granted}
        answer = self.client.post(f"{V1}/tokens", json=wish, headers=csrf)
        assert answer.status_code == 201, answer.text
        self.client.cookies.clear()
        return {"authorization": f"Bearer {answer.json()['secret']}"}


@pytest.fixture
def options() -> AdminOptions:
    return AdminOptions(requests_per_minute=100_000)


@pytest.fixture
def world(tmp_path: Path, options: AdminOptions) -> Iterator[World]:
    import asyncio

    db, clock = Database.open(tmp_path / "plugbay.sqlite3"), Clock()
    asyncio.run(ensure_first_user(db, tmp_path, clock))
    password = (tmp_path / "first-password").read_text().strip()
    audited: list[AuditRecord] = []
    app = create_admin(Services(database=db, clock=clock, audit=audited.append), options)
    with TestClient(app, base_url=BASE) as client:
        yield World(tmp_path, db, clock, app, client, password, audited)
    db.close()
