"""The overview: how it goes, what has happened, and what needs attention."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from litestar import Controller, Response, get

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, rule
from plugbay.admin.pages._format import ago
from plugbay.admin.pages._plugin_list import trouble
from plugbay.admin.pages._receipts import OperationCard
from plugbay.admin.pages._rendering import Pages, Show
from plugbay.admin.pages._traffic import TrafficView
from plugbay.kernel import ArtifactState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.control import Operation

OPERATIONS = 50
"""How far the cards look back."""
LATEST = 5
LONG_DRAIN = 30.0
DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Something that a person should look at."""

    level: str
    """The word beside the colour: `failed`, `warning`."""
    title: str
    detail: str
    href: str


class OverviewRoutes(Controller):
    """The first page."""

    path = "/"

    @get("/", opt=rule(Permission.READ))
    async def overview(self, request: Ask, pages: Show) -> Response[str]:
        """Cards, the last operations, and what needs attention."""
        services, views = pages.context.services, list(pages.context.board.plugins())
        operations = services.control.ledger.latest(limit=OPERATIONS)
        receipts = [one.receipt for one in operations if one.receipt is not None]
        return pages.show(
            request,
            "overview.html",
            section="overview",
            states=_states([view.state for view in views]),
            traffic=TrafficView.of(services.traffic.gateway()),
            changes=len(operations),
            dropped=sum(receipt.totals.dropped for receipt in receipts),
            latest=[OperationCard.of(one) for one in operations[:LATEST]],
            concerns=list(_concerns(pages, operations)),
        )


def _states(found: list[str]) -> dict[str, int]:
    """How many plugins are in each state, the most frequent first."""
    return dict(sorted({one: found.count(one) for one in found}.items(), key=lambda item: -item[1]))


def _concerns(pages: Pages, operations: "list[Operation]") -> "Iterator[Concern]":
    yield from _plugin_concerns(pages)
    yield from _worker_concerns(pages)
    now = pages.now
    for one in operations:
        age = now - one.created
        if one.state == "draining" and age > LONG_DRAIN:
            detail = f"requests that began before the change still run, for {ago(age)}"
            yield Concern(
                level="warning",
                title=f"{OperationCard.of(one).target} drains",
                detail=detail,
                href=f"/admin/operations/{one.id}",
            )
    for artifact in pages.context.services.artifacts.list(state=ArtifactState.REJECTED):
        if now - artifact.uploaded_at < DAY:
            failed = ", ".join(one.name for one in artifact.layers if one.result == "failed")
            yield Concern(
                level="rejected",
                title=artifact.filename,
                detail=f"the layer {failed} refused it",
                href=f"/admin/artifacts/{artifact.digest}",
            )


def _plugin_concerns(pages: Pages) -> "Iterator[Concern]":
    for view in pages.context.board.plugins():
        if reason := trouble(view):
            yield Concern(
                level="failed", title=view.id, detail=reason, href=f"/admin/plugins/{view.id}"
            )


def _worker_concerns(pages: Pages) -> "Iterator[Concern]":
    control = pages.context.services.control
    if not control.roster.sessions:
        detail = "nothing is served until one is"
        yield Concern(
            level="failed", title="no worker is connected", detail=detail, href="/admin/workers"
        )
    for name, link in sorted(control.roster.sessions.items()):
        if link.problem or link.revision != control.desired.revision:
            behind = f"at revision {link.revision} of {control.desired.revision}"
            yield Concern(
                level="warning",
                title=f"worker {name}",
                detail=link.problem or behind,
                href="/admin/workers",
            )
