"""Fixtures for plugin authors; pytest finds them by itself.

It is imported at every start of pytest, so it imports nothing else until a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from plugbay.sdk.testing._host import FakeHost
    from plugbay.sdk.testing._run import Running


@pytest.fixture
def plugin_host() -> FakeHost:
    """A host in the test's hand; `run_plugin` lends it to the plugin."""
    from plugbay.sdk.testing._host import FakeHost

    return FakeHost()


@pytest.fixture
def run_plugin(
    plugin_host: FakeHost,
) -> Callable[..., AbstractAsyncContextManager[Running[Any]]]:
    """`plugbay.sdk.testing.run_plugin`, on the host of the fixture `plugin_host`."""
    from functools import partial

    from plugbay.sdk.testing._run import run_plugin

    return partial(run_plugin, host=plugin_host)
