"""Every plugin here becomes a wheel that the gateway's own layers accept and its runtime loads."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts import Form, ManifestLayer, Platform, Static, Subject, build_wheel
from plugbay.artifacts.environments import Environments, Lock
from plugbay.kernel import LoadRequest
from plugbay.runtimes import PythonRuntime
from plugbay.runtimes.process import ProcessRuntime
from plugbay.sdk import Request, Response
from plugbay.sdk.testing import FakeHost

if TYPE_CHECKING:
    from plugbay.artifacts import Layer
    from plugbay.kernel import Instance, Runtime

PROJECTS = sorted(path.parent for path in Path(__file__).parents[1].glob("*/*/pyproject.toml"))
HOOKS = {
    "access-log": {"on_complete"},
    "antiabuse": {"on_request", "on_response", "on_event", "on_operation"},
    "counter-app": {"app"},
    "budget": {"on_tool_call"},
    "console-logger": {"on_message", "on_exit"},
    "contextforge": {"on_tool_call", "on_tool_result", "on_prompt", "on_resource"},
    "geo": {"on_request", "on_event", "on_operation"},
    "hello": {"on_request", "on_response"},
    "keyserver": {"app"},
    "maintenance": {"on_request"},
    "mlabuse": {"on_request", "on_event", "on_operation"},
    "pins": {"on_list", "on_tool_call", "on_operation"},
    "ratelimit": {"on_request"},
    "ratelimit-ml": {"on_request", "on_complete", "on_event", "on_operation"},
    "tarpit": {"on_request", "on_event", "on_operation"},
    "threat": {"on_request", "on_event", "on_operation"},
    "recorder": {"on_message", "on_exit"},
    "telemetry": {"on_message", "on_session_end", "on_exit"},
    "redact": {"on_message"},
    "tool-policy": {"on_list", "on_message"},
    "upper": {"response_body"},
    "zerotrust": {"on_request", "on_event", "on_operation"},
}


def built(project: Path, out: Path) -> Subject:
    """Build the wheel of a project and unpack it beside itself, named by its digest."""
    wheel = build_wheel(project, out)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(out / digest)
    return Subject(digest=digest, path=wheel, filename=wheel.name)


async def accepted(subject: Subject) -> Subject:
    """Run the layers before the trial; each must find nothing at all."""
    layers: tuple[Layer, ...] = (
        Form(None),
        ManifestLayer(),
        Platform(("python", "process")),
        Static(),
    )
    for layer in layers:
        assert list(await layer.inspect(subject)) == [], layer.name
    return subject


async def loaded(
    project: Path, out: Path, runtime: Runtime, *, generation: int = 1, **config: object
) -> Instance:
    """Build, inspect and load a project."""
    subject = await accepted(built(project, out))
    request = LoadRequest(
        manifest=subject.declared(),
        payload=out / subject.digest,
        digest=subject.digest,
        config=config,
        host=FakeHost(plugin=subject.declared().id),
        generation=generation,
    )
    return await runtime.load(request)


class _Apart:
    """Runs a wheel in a process of its own, without its packages: none is used by default."""

    def __init__(self, folder: Path) -> None:
        self._environments = Environments(folder / "data")

    async def load(self, request: LoadRequest) -> Instance:
        """Load it in an empty environment."""
        environment = await self._environments.ensure(Lock())
        return await ProcessRuntime().load(replace(request, environment=environment))


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_it_is_accepted_loads_and_starts(project: Path, tmp_path: Path) -> None:
    apart = 'runtime = "process"' in next(project.glob("src/*/plugbay.toml")).read_text()
    runtime = _Apart(tmp_path) if apart else PythonRuntime()

    async def main() -> None:
        instance = await loaded(project, tmp_path, runtime)
        assert set(instance.hooks) == HOOKS[project.name]
        await instance.start()
        await instance.health()
        await instance.stop()

    asyncio.run(main())


def test_two_versions_of_hello_live_side_by_side(tmp_path: Path) -> None:
    """Another version is the same project with another number, as the benches make it."""

    async def main() -> None:
        hello = next(project for project in PROJECTS if project.name == "hello")
        newer = tmp_path / "newer"
        shutil.copytree(hello, newer)
        for path in (newer / "pyproject.toml", newer / "src/plugbay_hello/plugbay.toml"):
            path.write_text(path.read_text().replace('"1.0.0"', '"1.1.0"'))
        runtime = PythonRuntime()
        old = await loaded(hello, tmp_path, runtime, greeting="old")
        new = await loaded(newer, tmp_path, runtime, generation=2, greeting="new")
        request, response = Request("GET", "/"), Response()
        old.hooks["on_response"].call(request, response)
        assert response.headers["x-hello"] == "old"
        new.hooks["on_response"].call(request, response)
        assert response.headers["x-hello"] == "new"
        await old.stop()
        await new.stop()

    asyncio.run(main())


def test_every_plugin_is_documented() -> None:
    for project in PROJECTS:
        text = (project / "README.md").read_text()
        assert text.startswith(f"# {project.name}\n")
        pushed = re.search(rf"plugbay plugin push \S+/{project.name}( .*)? --enable", text)
        assert pushed or f"plugbay plugin enable {project.name}" in text
