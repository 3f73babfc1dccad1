"""Every way of declaring a plugin is taken, and every wrong one is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plugbay.kernel import StartFailed
from unit.runtimes.goso.running import exchange, running

pytestmark = pytest.mark.timeout(600)  # the first run builds the plugins


@pytest.mark.parametrize(
    ("name", "entry", "field", "declared"),
    [
        ("typed", "New", "x-typed", "func(map[string]interface {}) (contract.Middleware, error)"),
        ("variable", "New", "x-variable", "*main.variable"),
        ("variable", "Middleware", "x-variable", "*main.variable"),
    ],
)
def test_it_is_configured_whichever_way_it_is_declared(
    name: str, entry: str, field: str, declared: str
) -> None:
    async def scenario() -> None:
        async with running({"value": "v1"}, name=name, entry=entry) as instance:
            seen = await exchange(instance, "GET", "/")
            assert seen.request.headers[field] == "v1"
            assert instance.facts["declared"] == declared

    asyncio.run(scenario())


def test_a_function_is_a_middleware_too() -> None:
    async def scenario() -> None:
        async with running(name="wrong", entry="Function") as instance:
            seen = await exchange(instance, "GET", "/")
            assert seen.request.headers["x-function"] == "called"

    asyncio.run(scenario())


def refusal(config: dict[str, Any], **how: Any) -> StartFailed:
    async def scenario() -> None:
        async with running(config, **how):
            raise AssertionError("it runs")

    with pytest.raises(StartFailed) as caught:
        asyncio.run(scenario())
    return caught.value


@pytest.mark.parametrize(
    ("how", "detail"),
    [
        ({"name": "wrong"}, "New is a func() string, not a func(map[string]interface{})"),
        ({"name": "wrong", "entry": "Handless"}, "has no method Handle(echo.HandlerFunc)"),
        ({"name": "wrong", "entry": "Missing"}, "it does not export Missing"),
    ],
)
def test_a_wrong_declaration_is_refused_with_what_to_write(
    how: dict[str, Any], detail: str
) -> None:
    error = refusal({}, **how)
    (problem,) = error.problems
    assert detail in problem.detail
    assert "func New(config map[string]interface{}) (T, error)" in problem.remedy


@pytest.mark.parametrize(
    ("config", "detail", "found"),
    [
        ({"new": "panic"}, "it panicked in its constructor", "plugins/behave/main.go"),
        ({"new": "error"}, "New: it was told to fail", ""),
        ({"new": "nil"}, "New gives nil", ""),
        ({"new": "exit"}, "its process ended in its constructor", "exit code 3"),
        ({"new": "memory"}, "its process ended in its constructor", "exit code 2"),
    ],
)
def test_a_constructor_that_fails_is_told(config: dict[str, Any], detail: str, found: str) -> None:
    (problem,) = refusal(config).problems
    assert problem.detail == detail
    assert found in problem.found


def test_a_panic_before_the_constructor_is_told() -> None:
    (problem,) = refusal({}, name="initpanic").problems
    assert "in the initialisation of its packages" in problem.detail
    assert "initpanic/main.go" in problem.found


def test_a_constructor_that_hangs_is_ended() -> None:
    (problem,) = refusal({"new": "hang"}, start_ms=500).problems
    assert problem.detail == "it did not come to an end in its constructor"
