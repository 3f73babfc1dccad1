"""What is traced for coverage, and in which order the files are given to the cores."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from coverage import Coverage
from tests.gateway_logs import pytest_runtest_makereport as pytest_runtest_makereport

if TYPE_CHECKING:
    from collections.abc import Generator

UNTRACED = (
    "tests/browser/",
    "tests/docs/",
    "tests/live/test_bad_plugins.py",
    "tests/live/test_crash_loop.py",
    "tests/live/test_full_disk.py",
    "tests/live/test_hkp_api.py",
    "tests/live/test_interchange.py",
    "tests/live/test_keyserver.py",
    "tests/live/test_odin_api.py",
    "tests/live/test_openapi.py",
    "tests/live/test_proofs.py",
    "tests/live/test_protection.py",
    "tests/live/test_zerotrust.py",
    "tests/properties/",
    "tests/simulation/",
    "tests/soundness/",
    "tests/unit/cli/test_scaffold.py",
    "tests/unit/runtimes/test_leaks.py",
)
"""Proofs that go the same ways thousands of times. Other tests cover those ways, and the tracer
doubles the processor time of all that it watches: here and in every process started from here."""

LONG = (
    "tests/live/",
    "tests/browser/",
    "tests/docs/",
    "tests/unit/mcp/",
    "tests/unit/km/",
    "tests/properties/",
    "tests/soundness/",
    "plugins/",
)
"""What takes long goes first, so that the cores end together on what is short."""

_SUBPROCESSES = "COVERAGE_PROCESS_CONFIG"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage meanwhile: all of it stays, and to look for it is a fifth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; the order inside of a file stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Stop the tracer, here and for processes that are started meanwhile."""
    tracer = Coverage.current()
    if tracer is None or not item.nodeid.startswith(UNTRACED):
        return (yield)
    tracer.stop()
    told = os.environ.pop(_SUBPROCESSES, None)
    try:
        return (yield)
    finally:
        if told is not None:
            os.environ[_SUBPROCESSES] = told
        tracer.start()
