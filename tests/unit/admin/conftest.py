"""An admin API on real parts: database, artifact store, coordinator, two workers."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import argon2
import pytest
from litestar.testing import TestClient

from plugbay.admin import (
    AdminOptions,
    AuditLog,
    Journal,
    Permission,
    Principal,
    RecentLogs,
    Role,
    Services,
    create_admin,
    ensure_first_user,
)
from plugbay.admin._access import ROLES
from plugbay.admin._app import create_routes
from plugbay.admin.access import Grants, Passwords, Tokens
from plugbay.admin.audit import AuditFilter, page
from plugbay.app._clock import SystemClock
from plugbay.artifacts import (
    ArtifactStore,
    Form,
    ManifestLayer,
    Platform,
    TrialLayer,
    Upkeep,
    Uploader,
    Validator,
    layers_by_kind,
)
from plugbay.kernel import Problem
from plugbay.observability import History, Merged, PluginFigures, Registry
from plugbay.storage import Database

from ..artifacts.wheels import wheel_bytes
from .cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpx import Response
    from litestar import Litestar

    from plugbay.artifacts import Kind, Trial
    from plugbay.sdk import Manifest

V1 = "/admin/api/v1"
BASE = "http://127.0.0.1"
SCHEMA = {
    "type": "object",
    "properties": {
        "greeting": {"type": "string"},
        "fail": {"enum": ["", "load", "start", "ask"]},
    },
    "additionalProperties": False,
}


class Clock:
    """Time that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@dataclass(frozen=True)
class Passed:
    """A trial that found nothing; the runtimes' own has its own tests."""

    problems: tuple[Problem, ...] = ()
    config_schema: dict[str, Any] = field(default_factory=lambda: SCHEMA)
    hooks: tuple[str, ...] = ("on_request",)
    timings: dict[str, float] = field(default_factory=lambda: {"load": 0.01})
    warnings: tuple[Problem, ...] = ()


async def passing(payload: Path, manifest: Manifest) -> Passed:
    assert (payload / manifest.entry.split(":")[0] / "__init__.py").is_file()
    fails = manifest.config.get("fail") == "load"
    return Passed((Problem("/fail", "it fails"),) if fails else ())


async def passing_binary(payload: Path, manifest: Manifest) -> Passed:
    assert os.access(payload, os.X_OK)
    fails = manifest.config.get("fail") == "trial"
    return Passed((Problem("/fail", "it fails"),) if fails else ())


@dataclass
class World:
    """One installation."""

    path: Path
    db: Database
    clock: Clock
    password: str
    artifacts: ArtifactStore
    cluster: Cluster
    services: Services
    routes: Litestar
    app: Litestar
    client: TestClient[Litestar]
    logs: RecentLogs
    audit: AuditLog
    metrics: Merged
    _headers: dict[str, str] = field(default_factory=dict)

    def sign_in(self, user: str = "admin", password: str | None = None) -> dict[str, Any]:
        answer = self.client.post(
            f"{V1}/sessions", json={"username": user, "password": password or self.password}
        )
        assert answer.status_code == 201, answer.text
        return cast("dict[str, Any]", answer.json())

    def token(self, *scopes: str) -> dict[str, str]:
        """Headers with a fresh token of the first user; without scopes: one with all of them."""
        issuer = Tokens(self.db, self.clock, Grants())
        all_of_them = ROLES[Role.ADMIN]
        roles = (Role.ADMIN,)
        who = Principal(user="admin", roles=roles, permissions=all_of_them, credential="")
        wish = [Permission(scope) for scope in scopes] or sorted(all_of_them)
        _, secret = asyncio.run(issuer.issue(who, "test", wish, None))
        return {"authorization": f"Bearer {secret}"}

    @property
    def audited(self) -> list[dict[str, Any]]:
        """The audit log, the oldest record first."""
        return page(self.db, AuditFilter(), before=0, limit=1000)[::-1]

    def ask(self, method: str, path: str, **parts: Any) -> Response:
        """Ask as the first user, with a token."""
        if not self._headers:
            self._headers = self.token()
        headers = {**self._headers, **parts.pop("headers", {})}
        return self.client.request(method, f"{V1}{path}", headers=headers, **parts)

    def upload(self, **parts: Any) -> str:
        """Upload a wheel and return its digest."""
        wheel = wheel_bytes(**parts)
        package = f"plugbay_{parts.get('id', 'hello').replace('-', '_')}"
        name = f"{package}-{parts.get('version', '1.0.0')}-py3-none-any.whl"
        answer = self.ask("POST", f"/artifacts?filename={name}", content=wheel)
        assert answer.status_code == 201, answer.text
        return cast("str", answer.json()["digest"])

    def change(self, method: str, path: str, **parts: Any) -> dict[str, Any]:
        """Make a change, wait for its end and return the operation."""
        sign = "&" if "?" in path else "?"
        answer = self.ask(method, f"{path}{sign}wait=finished", **parts)
        assert answer.status_code == 200, answer.text
        return cast("dict[str, Any]", answer.json())

    def run(self, id: str = "hello", **wish: Any) -> dict[str, Any]:
        """Upload a plugin if it is not there, and enable it."""
        if not self.artifacts.versions(id):
            self.upload(id=id)
        wish = {"version": "1.0.0", **wish}
        return self.change("PUT", f"/plugins/{id}", json=wish)

    def etag(self, path: str) -> dict[str, str]:
        return {"if-match": self.ask("GET", path).headers["etag"]}


@pytest.fixture
def options() -> AdminOptions:
    return AdminOptions(requests_per_minute=100_000, max_upload=1024 * 1024, heartbeat=0.05)


@pytest.fixture(scope="session")
def routes() -> Litestar:
    """Every route of the API and the pages, once: to register them takes half a second."""
    return create_routes()


def weak() -> Passwords:
    """Hashes that take a millisecond; `access/test_passwords.py` has those of the gateway."""
    return Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """A database with the first user, and the password."""
    path = tmp_path_factory.mktemp("first")
    db = Database.open(path / "plugbay.sqlite3")
    assert asyncio.run(ensure_first_user(db, path, Clock(), weak())) is True
    db.close()
    password = (path / "first-password").read_text().strip()
    return (path / "plugbay.sqlite3").read_bytes(), password


@pytest.fixture
def world(
    tmp_path: Path, options: AdminOptions, first: tuple[bytes, str], routes: Litestar
) -> Iterator[World]:
    (tmp_path / "plugbay.sqlite3").write_bytes(first[0])
    db, clock = Database.open(tmp_path / "plugbay.sqlite3"), Clock()
    artifacts = ArtifactStore(tmp_path, db)
    cluster = Cluster(db, artifacts, workers=2)
    trials: dict[Kind, Trial] = {
        "wheel": passing,
        "executable": passing_binary,
        "shared-object": passing_binary,
    }
    wheel = (Form(), ManifestLayer(), Platform(), TrialLayer(passing, artifacts.payload))
    layers = {**layers_by_kind(artifacts, trials), "wheel": wheel}
    logs, audit = RecentLogs(), AuditLog(db, tmp_path)
    journal, history, metrics = Journal(cluster.store, clock), History(clock), Merged()
    cluster.publish = journal.publish
    uploads = Uploader(artifacts, SystemClock(), max_bytes=options.max_upload)
    validator = Validator(artifacts, layers, SystemClock())
    services = Services(
        database=db,
        clock=clock,
        audit=audit,
        control=cluster.coordinator,
        configs=cluster.store,
        artifacts=artifacts,
        uploads=uploads,
        validator=validator,
        upkeep=Upkeep(artifacts, uploads, validator),
        processes=cluster,
        journal=journal,
        logs=logs,
        traffic=history,
        figures=PluginFigures(metrics, Registry()),
        operations=cluster.operations,
        passwords=weak(),
    )
    app = create_admin(services, options, routes)
    app.on_startup.append(cluster.start)
    app.on_shutdown.append(cluster.close)
    with TestClient(app, base_url=BASE) as client:
        yield World(
            tmp_path,
            db,
            clock,
            first[1],
            artifacts,
            cluster,
            services,
            routes,
            app,
            client,
            logs,
            audit,
            metrics,
        )
    db.close()
