"""The audit log: searched, exported and verified."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, cast

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from plugbay.admin._access import Permission
from plugbay.admin._http import Use, rule
from plugbay.admin.audit import (
    AuditFilter,
    AuditLog,
    Verdict,
    export_line,
    page,
    pages,
    verification,
)

LINES = "application/jsonl"
Limit = Annotated[int, QueryParameter(ge=1, le=500)]
LAST = (1 << 63) - 1
"""The highest number that the database takes."""
Before = Annotated[int, QueryParameter(name="next", ge=0, le=LAST)]


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """A record of the audit log. `before` and `after` are digests of what was there and what was
    asked for; `hash` covers the record and the one before it."""

    sequence: int = 0
    time: float = 0.0
    act: str = ""
    actor: str = ""
    kind: str = ""
    credential: str = ""
    address: str = ""
    request_id: str = ""
    method: str = ""
    path: str = ""
    target: str = ""
    status: int = 0
    before: str = ""
    after: str = ""
    operation: str = ""
    location: str = ""
    detail: str = ""
    hash: str = ""


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Records, the newest first; `next` is where the older ones begin."""

    items: list[AuditView]
    next: str | None


class AuditRoutes(Controller):
    """Who did what, and whether the record of it is whole."""

    path = "/audit"
    tags = ("audit",)

    @get("/", opt=rule(Permission.AUDIT_READ), operation_id="listAudit")
    async def list(
        self,
        context: Use,
        actor: FromQuery[str] = "",
        act: FromQuery[str] = "",
        target: FromQuery[str] = "",
        operation: FromQuery[str] = "",
        refused: FromQuery[bool | None] = None,
        since: FromQuery[float | None] = None,
        until: FromQuery[float | None] = None,
        limit: Limit = 100,
        before: Before = 0,
    ) -> AuditPage:
        """The records that match, the newest first. `act`, `actor` and `target` may end in `*`;
        times are in seconds since 1970."""
        wanted = AuditFilter(
            actor=actor,
            act=act,
            target=target,
            operation=operation,
            refused=refused,
            since=since,
            until=until,
        )
        found = page(context.services.audit.db, wanted, before=before, limit=limit + 1)
        items = [msgspec.convert(one, AuditView, strict=False) for one in found[:limit]]
        more = str(items[-1].sequence) if len(found) > limit else None
        return AuditPage(items=items, next=more)

    @get(
        "/export",
        opt=rule(Permission.AUDIT_READ),
        operation_id="exportAudit",
        media_type=LINES,
    )
    async def export(
        self, context: Use, after: Annotated[int, QueryParameter(ge=0, le=LAST)] = 0
    ) -> Response[bytes]:
        """All records behind the sequence number `after` as lines of JSON, the oldest first. They
        can be verified again: `plugbay audit verify FILE`."""
        lines = _lines(context.services.audit, after)
        headers = {"content-disposition": 'attachment; filename="plugbay-audit.jsonl"'}
        stream = Stream(lines, media_type=LINES, headers=headers)
        return cast(Response[bytes], stream)

    @get("/verification", opt=rule(Permission.AUDIT_READ), operation_id="verifyAudit")
    async def verify(self, context: Use) -> Verdict:
        """Verify the whole log now: what was changed, removed, added, reordered or cut off."""
        log = context.services.audit
        begun, stored = verification(log.db, log.data)
        for records in pages(log.db):
            begun.take(records)
            await asyncio.sleep(0)
        begun.unanchored(stored)
        return begun.verdict()


async def _lines(log: AuditLog, after: int) -> AsyncIterator[bytes]:
    for records in pages(log.db, after):
        yield b"".join(map(export_line, records))
