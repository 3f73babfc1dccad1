"""A test that fails tells what the gateways said that it had to do with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from bench._gateway import Gateway


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the ends of the logs to a failure, and how busy the machine was."""
    report = yield
    if report.failed and call.excinfo is not None:
        for gateway in {id(one): one for one in _gateways(item, call.excinfo)}.values():
            load = " ".join(f"{one:.1f}" for one in os.getloadavg())
            title = f"the end of the log of the gateway at {gateway.folder.name} (load {load})"
            report.sections.append((title, gateway.last_words()))
    return report


def _gateways(item: pytest.Item, failure: pytest.ExceptionInfo[BaseException]) -> Iterator[Gateway]:
    """The gateways that the test was given, and those of the functions in which it failed."""
    for owner in getattr(item, "funcargs", {}).values():
        yield from _of(owner)
    for entry in failure.traceback:
        for owner in entry.frame.f_locals.values():
            yield from _of(owner)


def _of(owner: object) -> Iterator[Gateway]:
    """A gateway, or the gateway of what has one."""
    from bench._gateway import Gateway  # of failed tests only: most have nothing to do with it

    for found in (owner, getattr(owner, "__dict__", {}).get("gateway")):
        if isinstance(found, Gateway):
            yield found
