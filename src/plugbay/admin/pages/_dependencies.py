"""Who needs whom, of all plugins."""

from typing import TYPE_CHECKING

from litestar import Controller, Response, get

from plugbay.admin._access import Permission
from plugbay.admin._http import Ask, rule
from plugbay.admin.pages._graph import Picture, draw
from plugbay.admin.pages._rendering import Pages, Show

if TYPE_CHECKING:
    from collections.abc import Collection

    from plugbay.sdk import Manifest


class DependencyPageRoutes(Controller):
    """The picture of all plugins."""

    path = "/dependencies"

    @get("/", opt=rule(Permission.READ))
    async def all(self, request: Ask, pages: Show) -> Response[str]:
        """The picture, and the same in words."""
        found = manifests(pages)
        return pages.show(
            request,
            "dependencies.html",
            section="dependencies",
            picture=picture(pages, found.keys()),
            manifests=found,
        )


def manifests(pages: Pages) -> "dict[str, Manifest]":
    """The manifests of all plugins that are wanted, by id."""
    services = pages.context.services
    found = {
        id: services.artifacts.get(spec.digest).manifest
        for id, spec in sorted(services.control.desired.plugins.items())
    }
    return {id: manifest for id, manifest in found.items() if manifest is not None}


def picture(pages: Pages, chosen: "Collection[str]") -> Picture:
    """Draw the chosen plugins and what they need."""
    found = manifests(pages)
    needs = {id: sorted(found[id].requires) for id in chosen}
    states = {view.id: view.state for view in pages.context.board.plugins()}
    labels = {id: (manifest.version, states.get(id, "unknown")) for id, manifest in found.items()}
    return draw(needs, labels)
