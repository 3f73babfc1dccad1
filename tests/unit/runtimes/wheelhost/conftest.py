"""An empty environment, and a plugin of every hook that is run in both runtimes."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coverage import Coverage

from plugbay.artifacts.environments import Environments, Lock
from plugbay.runtimes.process import _loading, _wheel_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugbay.isolation import Sandbox
    from plugbay.kernel import LoadRequest
    from plugbay.runtimes.process._plugin_process import Launch


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    environments = Environments(tmp_path_factory.mktemp("data"))
    return asyncio.run(environments.ensure(Lock()))


@pytest.fixture(scope="session", autouse=True)
def _traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the tracer of coverage, where there is one, see what goes on in the wheels' processes."""
    tracer = Coverage.current()
    if tracer is None:
        yield
        return
    folder = tmp_path_factory.mktemp("traced")
    seen = folder / "seen"
    seen.mkdir()
    program = shutil.copy(Path(__file__).with_name("traced.py"), folder)
    launch = _loading.launch_wheel

    def launch_traced(request: LoadRequest, sandbox: Sandbox, seconds: float) -> Launch:
        wider = replace(
            sandbox,
            data_mb=sandbox.data_mb and sandbox.data_mb + 64,
            read=(*sandbox.read, str(folder)),
            write=(*sandbox.write, str(seen)),
        )
        return launch(request, wider, seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_wheel_process, "PROGRAM", Path(program))
        patch.setattr(_loading, "launch_wheel", launch_traced)
        yield
    for one in seen.iterdir():
        shutil.move(one, f"{tracer.get_option('run:data_file')}.{one.name}")
