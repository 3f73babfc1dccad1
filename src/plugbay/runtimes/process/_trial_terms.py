"""What a program is loaded with in its trial, and what it may use there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from plugbay.kernel import LoadRequest
from plugbay.runtimes._trial_host import TrialHost

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plugbay.isolation import Network, Sandbox
    from plugbay.runtimes._trial_report import TrialLimits
    from plugbay.runtimes.process._loading import Place
    from plugbay.sdk import Manifest


def trial_sandbox(place: Place, manifest: Manifest, limits: TrialLimits) -> Sandbox:
    """Return what a program may use in its trial: no network, and what a trial has at the most.

    Raises `Invalid`.
    """
    sandbox = place.sandbox(manifest)
    network: Network = "loopback" if sandbox.network == "host" else sandbox.network
    if manifest.entry == "hkp":
        network = "host"  # the gateway must reach its port
    return replace(
        sandbox,
        open_files=limits.files,
        file_mb=limits.file_mb,
        cpu_seconds=limits.cpu_seconds,
        network=network,
    )


def trial_request(
    payload: Path,
    manifest: Manifest,
    config: Mapping[str, Any],
    generation: int,
    environment: Path | None = None,
) -> LoadRequest:
    """Return how one generation is loaded, by a host that lends it nothing real."""
    return LoadRequest(
        manifest=manifest,
        payload=payload,
        digest="",
        config=config,
        host=TrialHost(manifest, generation),
        generation=generation,
        environment=environment,
    )
