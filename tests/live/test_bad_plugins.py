"""Plugins that misbehave, each from good to good again, under strict clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bench import bad_plugin
from bench._bad_source import POLICY
from bench._gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway(workers=1, settings=POLICY) as gateway:
        bad_plugin.install(gateway)
        yield gateway


@pytest.mark.parametrize("case", bad_plugin.CASES, ids=lambda case: case.name)
def test_clients_see_only_what_the_policy_says(gateway: Gateway, case: bad_plugin.Case) -> None:
    outcome = bad_plugin.run_case(gateway, case)
    assert outcome.problems == []
    assert outcome.requests > 0


@pytest.mark.parametrize("what", bad_plugin.LEAKS)
def test_what_a_generation_leaves_is_reported(gateway: Gateway, what: str) -> None:
    assert bad_plugin.LEAKS[what] in bad_plugin.leak(gateway, what)
