"""The runtimes of a worker: `python` at once, those with processes when a plugin needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from plugbay.app._hosts import Listening
from plugbay.app._on_demand import OnDemand
from plugbay.app._references import Resolving

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.isolation import ProcessPolicy
    from plugbay.kernel import EventBus, Runtime


class _Rules(TypedDict):
    policy: ProcessPolicy
    data: Path


def make_runtimes(
    python: Runtime, bus: EventBus, policy: ProcessPolicy, data: Path
) -> dict[str, Runtime]:
    """Return them by the word that manifests use."""
    rules: _Rules = {"policy": policy, "data": data}
    # Each imports what no plugin in process needs: messages of gRPC, binaries, builds of Go.

    def process() -> Runtime:
        from plugbay.km import KmRuntime
        from plugbay.runtimes.process import ProcessRuntime

        return KmRuntime(ProcessRuntime(**rules), **rules)

    def goso() -> Runtime:
        from plugbay.app._runners import make_runners
        from plugbay.runtimes.goso import GosoRuntime

        return GosoRuntime(make_runners(data), **rules)

    return {
        "python": Resolving(Listening(python, bus), data),
        "process": Resolving(Listening(OnDemand(process), bus), data),
        "goso": Resolving(OnDemand(goso), data),
    }
