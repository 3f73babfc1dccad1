"""`plugbay serve --demo`: a sample upstream, a route to it, and the example plugins."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.artifacts import build_wheel
from plugbay.control import Batch, Enable, PutRoute
from plugbay.gateway import RouteSpec, Target, UpstreamSpec
from plugbay.kernel import ArtifactState, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from plugbay.app._supervisor import Supervisor
    from plugbay.artifacts import Artifact
    from plugbay.settings import Settings

EXAMPLES = Path(__file__).parents[3] / "plugins" / "examples"
ENABLED = ("hello", "counter-app")
"""The others are uploaded and wait: they refuse or change traffic."""
COUNTER = RouteSpec(name="counter", plugin="counter-app", path="/counter", strip_prefix=True)


class Demo:
    """The sample upstream as a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "plugbay.demo", "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise Unavailable("the sample upstream did not start; its error is above")
        self.address = line.split()[-1].removeprefix("http://").rstrip("/")

    def add_to(self, settings: Settings) -> Settings:
        """Return the settings with the upstream `sample` and a route to it, if they have none."""
        if settings.routes:
            return settings
        upstream = UpstreamSpec(name="sample", targets=(Target(address=self.address),))
        route = RouteSpec(name="sample", upstream="sample")
        return replace(settings, upstreams=(*settings.upstreams, upstream), routes=(route,))

    async def install(self, supervisor: Supervisor) -> None:
        """Send every example through the real upload, and enable two of them."""
        if supervisor.coordinator.desired.plugins or not EXAMPLES.is_dir():
            return
        changes: list[Enable | PutRoute] = []
        for project in sorted(EXAMPLES.iterdir()):
            if (project / "pyproject.toml").is_file():
                artifact = await _upload(supervisor, project)
                if artifact.state is ArtifactState.VALIDATED and artifact.plugin in ENABLED:
                    changes.append(Enable(plugin=artifact.plugin, digest=artifact.digest))
        changes.append(PutRoute(route=COUNTER))
        operation = await supervisor.coordinator.submit(
            Batch(changes=tuple(changes)), actor="demo", reason="the example plugins"
        )
        await supervisor.coordinator.wait(operation.id, timeout=30.0, finished=False)

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.communicate()


async def _upload(supervisor: Supervisor, project: Path) -> Artifact:
    with tempfile.TemporaryDirectory(prefix="plugbay-demo-") as scratch:
        wheel = await asyncio.to_thread(build_wheel, project, Path(scratch))
        chunks = _one(await asyncio.to_thread(wheel.read_bytes))
        upload = await supervisor.uploads.receive(chunks, filename=wheel.name, by="demo")
    return await supervisor.validator.validate(upload.artifact.digest)


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data
