"""The real admin app, asked as Odin's users ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests import go_binaries

from plugbay.admin import AdminOptions

from .client import Odin

if TYPE_CHECKING:
    from ..conftest import World


@pytest.fixture
def options() -> AdminOptions:
    return AdminOptions(
        requests_per_minute=100_000, uploads_per_minute=1000, max_upload=3 << 20, heartbeat=0.05
    )


@pytest.fixture
def odin(world: World) -> Odin:
    return Odin(world)


@pytest.fixture(scope="session")
def plugin() -> bytes:
    return go_binaries.plugin().read_bytes()
