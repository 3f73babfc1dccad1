"""The real admin app with two workers, asked as clients of HKP ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .client import Hkp

if TYPE_CHECKING:
    from ..conftest import World


@pytest.fixture
def hkp(world: World) -> Hkp:
    world.run("hello", config={"greeting": "hi"}, watch=0.0)
    return Hkp(world)
