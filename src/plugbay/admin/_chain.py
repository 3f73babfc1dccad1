"""The order of a route's plugins, explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from plugbay.kernel import OrderItem, order_plugins

if TYPE_CHECKING:
    from plugbay.admin._context import Context
    from plugbay.sdk import Manifest


class ChainEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin in its place. `why` says how it came to stand there."""

    plugin: str
    version: str
    digest: str
    phase: str
    priority: int
    hooks: tuple[str, ...]
    why: str


def explain(context: Context, route: str) -> list[ChainEntry]:
    """The enabled plugins that a request of `route` passes, in their order."""
    desired = context.services.control.desired
    specs = {
        id: spec
        for id, spec in desired.plugins.items()
        if spec.enabled and (not spec.routes or route in spec.routes)
    }
    artifacts = {id: context.services.artifacts.get(spec.digest) for id, spec in specs.items()}
    manifests: dict[str, Manifest] = {
        id: artifact.manifest for id, artifact in artifacts.items() if artifact.manifest is not None
    }
    ordered = order_plugins(OrderItem(id, manifest.order) for id, manifest in manifests.items())
    return [
        ChainEntry(
            plugin=place.id,
            version=specs[place.id].version,
            digest=specs[place.id].digest,
            phase=manifests[place.id].order.phase,
            priority=manifests[place.id].order.priority,
            hooks=artifacts[place.id].hooks,
            why=place.why,
        )
        for place in ordered
    ]
