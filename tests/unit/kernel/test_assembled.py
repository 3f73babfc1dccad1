"""What a function that was assembled at run time looks like where somebody reads of it."""

from __future__ import annotations

import linecache
import traceback
from typing import Any

from plugbay.kernel import assemble


def made(plugins: list[str], fault: object = LookupError) -> Any:
    lines = ["def on_request(request):", "    number = 1", "    raise fault(number, request)"]
    return assemble("some.module", plugins, lines, {"fault": fault})


def report(function: Any) -> str:
    try:
        function("mine")
    except LookupError as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError("it did not raise")


def test_it_is_named_after_the_plugins_it_calls() -> None:
    function = made(["ratelimit", "upper"])
    assert function.__qualname__ == "on_request(ratelimit, upper)"
    assert function.__code__.co_qualname == "on_request(ratelimit, upper)"
    assert function.__module__ == "some.module"


def test_a_traceback_shows_the_line() -> None:
    text = report(made(["ratelimit"]))
    assert "line 3, in on_request(ratelimit)\n    raise fault(number, request)\n" in text


def test_what_tracebacks_keep_does_not_grow_with_each_change() -> None:
    for _ in range(3):
        report(made(["ratelimit"]))
    kept = [name for name in linecache.cache if name.startswith("some.module#")]
    assert len(kept) == 1
