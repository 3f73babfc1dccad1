"""A blocked event loop is noticed, and the plugin on its stack is named."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from plugbay.runtimes import Blocked, PythonRuntime, Watchdog
from unit.runtimes.wheels import HELLO, load_request, run, until, write_payload

if TYPE_CHECKING:
    from pathlib import Path

BLOCKING = (
    HELLO.replace("return Response.text(self.config.greeting)", "return util.block(0.3)")
    + "from plugbay_hello import util\n"
)
UTIL = """
import time

def block(seconds):
    end = time.thread_time() + seconds  # a busy machine's time is nobody's fault
    while time.thread_time() < end:
        pass
"""


def test_the_plugin_whose_code_blocks_is_named(tmp_path: Path) -> None:
    payload = write_payload(tmp_path, BLOCKING, files={"plugbay_hello/util.py": UTIL})
    reports: list[Blocked] = []
    threads: list[int] = []

    def blocked(report: Blocked) -> None:
        reports.append(report)
        threads.append(threading.get_ident())

    async def scenario() -> None:
        instance = await PythonRuntime().load(load_request(payload, generation=4))
        watchdog = Watchdog(blocked)
        watchdog.start()
        await asyncio.sleep(0)
        instance.hooks["on_request"].call(None)
        await until(lambda: watchdog.blocks["hello"])
        watchdog.stop()
        assert watchdog.blocks["hello"] == 1
        await instance.stop()

    run(scenario())
    report = next(report for report in reports if report.plugin)
    assert (report.plugin, report.generation) == ("hello", 4)
    assert 0.1 <= report.seconds < 30
    assert report.stack[0].startswith("plugbay_hello.util:block:")
    assert report.stack[1].startswith("plugbay_hello:Hello.on_request:")
    assert set(threads) == {threading.get_ident()}


def test_a_block_by_nobodys_plugin_has_no_name() -> None:
    reports: list[Blocked] = []
    seen = threading.Event()

    async def scenario() -> None:
        watchdog = Watchdog(reports.append, hanging=lambda _: seen.set(), hang=0.2)
        watchdog.start()
        await asyncio.sleep(0)
        assert seen.wait(100)  # blocks the loop until the watchdog has looked
        await until(lambda: reports)
        watchdog.stop()
        assert watchdog.blocks[""] >= 1

    run(scenario())
    assert reports[0].plugin == ""
    assert any("test_watchdog" in place for place in reports[0].stack)


def test_who_comes_by_at_the_end_of_a_block_is_not_blamed(tmp_path: Path) -> None:
    """As the requests that have waited while the gateway itself was busy."""
    source = BLOCKING.replace("block(0.3)", "block(0.06)")
    payload = write_payload(tmp_path, source, files={"plugbay_hello/util.py": UTIL})
    reports: list[Blocked] = []

    async def scenario() -> None:
        instance = await PythonRuntime().load(load_request(payload))
        watchdog = Watchdog(reports.append)
        watchdog.start()
        await asyncio.sleep(0)
        time.sleep(1.0)  # noqa: ASYNC251 -- wanted: it blocks
        instance.hooks["on_request"].call(None)
        await until(lambda: reports)
        watchdog.stop()
        await instance.stop()

    run(scenario())
    assert reports[0].plugin == ""


def test_a_free_loop_is_not_reported() -> None:
    reports: list[Blocked] = []

    async def scenario() -> None:
        # A threshold that no scheduler of a busy machine exceeds: only a defect does.
        watchdog = Watchdog(reports.append, threshold=20.0)
        watchdog.start()
        for _ in range(100):
            await asyncio.sleep(0)
        watchdog.stop()

    run(scenario())
    assert reports == []
    assert not [t for t in threading.enumerate() if t.name == "plugbay-watchdog"]


def test_a_loop_that_hangs_is_told_while_it_hangs() -> None:
    gate = threading.Event()
    hung: list[Blocked] = []
    threads: list[str] = []

    def hanging(report: Blocked) -> None:
        hung.append(report)
        threads.append(threading.current_thread().name)
        gate.set()

    async def scenario() -> None:
        watchdog = Watchdog(lambda _: None, hanging=hanging, hang=0.2)
        watchdog.start()
        await asyncio.sleep(0)
        assert gate.wait(100)  # blocks the loop until the watchdog's thread says so
        watchdog.stop()

    run(scenario())
    assert len(hung) == 1
    assert hung[0].seconds > 0.2
    assert threads == ["plugbay-watchdog"]


def test_it_ends_with_a_loop_that_was_closed_under_it() -> None:
    watchdog = Watchdog(lambda _: None, threshold=0.02)

    async def scenario() -> None:
        watchdog.start()
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251 -- wanted: it blocks

    run(scenario())
    watchdog.stop()
    assert not [t for t in threading.enumerate() if t.name == "plugbay-watchdog"]
