"""What the gateway does by itself, in the audit log; and what the settings say to the admin API."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from plugbay.admin import AuditLog, AuditRecord, Role
from plugbay.admin.audit import AuditFilter, page, verify
from plugbay.app._admin_options import admin_options
from plugbay.app._audit_trail import AuditTrail
from plugbay.app._clock import SystemClock
from plugbay.app._trace_key import RevokedTraces
from plugbay.control import DeleteRoute, Operation, OperationState, SqliteStore
from plugbay.kernel import Invalid, Unavailable
from plugbay.settings import parse
from plugbay.storage import Database

if TYPE_CHECKING:
    from pathlib import Path


def operation(state: OperationState, actor: str = "file") -> Operation:
    return Operation(
        id="op1",
        sequence=1,
        change=DeleteRoute(name="x"),
        actor=actor,
        reason="gateway.toml changed",
        created=1.0,
        updated=1.0,
        state=state,
        revision=1,
        steps={},
    )


def test_the_end_of_an_operation_is_recorded_once_and_its_roll_back_too(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "plugbay.sqlite3")
    log, store = AuditLog(db, tmp_path), SqliteStore(db)
    trail = AuditTrail(log, store, SystemClock())

    async def world() -> None:
        running = asyncio.create_task(trail.run())
        for state in ("pending", "draining", "succeeded", "succeeded", "rolled_back"):
            trail.look(operation(OperationState(state)))
        trail.file_refused("/routes/0/path: a path starts with '/'")
        await asyncio.sleep(0)  # it takes the first; writes are made in their order
        await trail.flush()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await log.append(AuditRecord(time=1.0, act="end"))

    asyncio.run(world())
    lines = page(db, AuditFilter(), before=0, limit=10)[::-1]
    assert [(line["act"], line["actor"]) for line in lines[:-1]] == [
        ("operation.succeeded", "file"),
        ("operation.rolled_back", "file"),
        ("settings.refused", "file"),
    ]
    assert lines[0]["operation"] == "op1"
    assert lines[0]["after"].startswith("revision 1")
    assert verify(db, tmp_path).intact
    db.close()


def test_the_settings_reach_the_admin_api(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    settings = parse(
        f"""
        [admin]
        public_url = "https://admin.example.com/"
        second_factor = ["admin"]
        uploads_per_minute = 7
        [admin.oidc]
        issuer = "https://login.example.com"
        client_id = "plugbay"
        client_secret_file = "{secret}"
        [admin.oidc.roles]
        ops = ["operator", "publisher"]
        """,
        {},
    )
    options = admin_options(settings, b"", RevokedTraces(tmp_path))
    assert (options.secure_cookies, options.hosts) == (True, ("admin.example.com",))
    assert (options.second_factor, options.uploads_per_minute) == ((Role.ADMIN,), 7)
    oidc = options.oidc
    assert oidc is not None
    assert oidc.redirect_uri == "https://admin.example.com/admin/api/v1/oidc/callback"
    assert oidc.roles == {"ops": (Role.OPERATOR, Role.PUBLISHER)}
    assert oidc.secret is not None
    with pytest.raises(Unavailable, match="cannot be read"):
        oidc.secret()
    secret.write_text("s3cret\n")
    assert oidc.secret() == "s3cret"
    plain = replace(settings, admin=replace(settings.admin, oidc=None, public_url=""))
    options = admin_options(plain, b"", RevokedTraces(tmp_path))
    assert (options.oidc, options.secure_cookies) == (None, False)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('public_url = "admin"', "/admin/public_url"),
        ("uploads_per_minute = 0", "/admin/uploads_per_minute"),
        ("session_idle = 0", "/admin/session_idle"),
        ('second_factor = ["king"]', "/admin/second_factor/0"),
        ('oidc = {issuer = "https://x", client_id = "a"}', "/admin/public_url"),
        (
            'public_url = "https://a"\noidc = {issuer = "http://x", client_id = "a"}',
            "/admin/oidc/issuer",
        ),
    ],
)
def test_wrong_settings_are_named(text: str, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(f"[admin]\n{text}", {})
    assert pointer in [problem.pointer for problem in caught.value.problems]
