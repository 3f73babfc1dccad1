"""A version that is held: nothing but its release moves the plugin to another one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from plugbay.kernel import Conflict

if TYPE_CHECKING:
    from plugbay.control._model import PluginSpec


def refuse_move(spec: PluginSpec, digest: str) -> None:
    """Raise `Conflict` if the plugin is pinned to another artifact than `digest`."""
    if spec.pin is None or spec.digest == digest:
        return
    since = datetime.fromtimestamp(spec.pin.at, UTC).isoformat(timespec="seconds")
    why = f", because: {spec.pin.why}" if spec.pin.why else ""
    raise Conflict(
        f"{spec.id} is pinned to {spec.version} by {spec.pin.by} since {since}{why}; unpin it first"
    )
