"""What a function that was assembled at run time looks like where somebody reads of it."""

from __future__ import annotations

import linecache
import os
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

from plugbay.kernel import assemble

if TYPE_CHECKING:
    from pathlib import Path


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
    kept = [name for name in linecache.cache if name.startswith("<some.module>#")]
    assert len(kept) == 1


def test_coverage_does_not_ask_for_a_file_of_it(tmp_path: Path) -> None:
    code = """
from plugbay.kernel import assemble
assemble("plugbay.kernel.some", ["upper"], ["def on_request(request):", "    return 1"], {})(0)
"""
    (tmp_path / "main.py").write_text(code)
    fresh = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    for words in (("run", "--source=plugbay.kernel", "main.py"), ("json",)):
        done = subprocess.run(
            (sys.executable, "-m", "coverage", *words),
            cwd=tmp_path,
            env=fresh,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
