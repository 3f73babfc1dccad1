"""An empty environment, and a plugin of every hook that is run in both runtimes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts.environments import Environments, Lock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    environments = Environments(tmp_path_factory.mktemp("data"))
    return asyncio.run(environments.ensure(Lock()))
