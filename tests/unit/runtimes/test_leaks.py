"""A stopped generation goes, and what keeps one is named."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import threading
import types
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.runtimes import PythonRuntime
from unit.runtimes.wheels import HELLO, load_request, run, write_payload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plugbay.runtimes import LeakReport

STICKY = (
    HELLO
    + """
import abc, copyreg, dataclasses, enum, functools, logging, re, typing, warnings, weakref
from typing import Dict, List, NamedTuple, Optional, Protocol, TypedDict, Union, overload

log = logging.getLogger(__name__)
other = logging.getLogger("shared.by.all")


class Mine(UserWarning): ...
class Handler(logging.Handler):
    def emit(self, record): ...
class Filter(logging.Filter): ...
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
@Shape.register
class Flat: ...
class Colour(enum.Enum):
    RED = 1
class Speaks(Protocol):
    def speak(self) -> "Mine": ...
class Point(NamedTuple):
    x: "Config"
class Typed(TypedDict):
    config: "Config"
@overload
def two(x: int) -> int: ...
@overload
def two(x: str) -> str: ...
def two(x): return x
@functools.singledispatch
def one(x): return x
@one.register
def _(x: Mine): return x
@functools.lru_cache
def cached(x): return Mine

holds: Optional[Union[Mine, List[Dict[str, Colour]]]] = None
warnings.filterwarnings("ignore", category=Mine)
logging.getLogger().addHandler(Handler())
logging.getLogger().addFilter(Filter())
other.addHandler(Handler())
other.setLevel(logging.INFO)
log.addHandler(logging.NullHandler())
log.propagate = False
copyreg.pickle(Flat, lambda flat: (Flat, ()))
typing.get_type_hints(Point), typing.get_type_hints(Speaks), isinstance(Flat(), Shape)
cached(Colour.RED); one(Mine()); warnings.warn("mine", Mine); log.info("made")
weakref.finalize(Flat(), print)
dataclasses.asdict(Config())
try:
    raise Mine("caught")
except Mine as error:
    log.exception("logged", exc_info=error)
"""
)


# What a generation is made of. Not methods: coverage's tracer keeps four for every thread.
COUNTED = (type, types.FunctionType, types.ModuleType, ModuleSpec, asyncio.Task)


@pytest.fixture(autouse=True)
def _clean_logging() -> Iterator[None]:
    before = list(logging.root.handlers), list(logging.root.filters)
    yield
    assert (logging.root.handlers, logging.root.filters) == before


def cycle(source: str, payload: Path, **options: Any) -> LeakReport:
    """Load, start, stop and audit one generation."""
    write_payload(payload, source)

    async def scenario() -> LeakReport:
        runtime = PythonRuntime()
        instance = await runtime.load(load_request(payload, **options))
        await instance.start()
        await instance.stop()
        report = runtime.audit("hello", 1)
        assert report is not None
        return report

    report: LeakReport = run(scenario())
    return report


def test_300_cycles_leave_at_most_one_generation_and_do_not_grow(tmp_path: Path) -> None:
    payload = write_payload(tmp_path, STICKY)
    sizes: list[int] = []
    living: list[int] = []

    async def scenario() -> None:
        runtime = PythonRuntime()
        current = None
        for number in range(1, 301):
            fresh = await runtime.load(load_request(payload, generation=number))
            await fresh.start()
            if current is not None:
                await current.stop()
                report = runtime.audit("hello", number - 1)
                assert report is not None
                assert report.clean, report
            current = fresh
            living.append(len(runtime.lingering("hello")))
            if number % 100 == 0:
                gc.collect()
                sizes.append(sum(isinstance(thing, COUNTED) for thing in gc.get_objects()))
        assert current is not None
        await current.stop()

    gc.collect()
    gc.freeze()  # the collector of this test looks at what this test makes only
    try:
        run(scenario())
    finally:
        gc.unfreeze()
    assert max(living) == 0
    assert sizes[2] - sizes[1] < 20
    assert not [name for name in sys.modules if name.startswith("_plugbay_")]


def test_what_was_clean_is_forgotten(tmp_path: Path) -> None:
    payload = write_payload(tmp_path)

    async def scenario() -> None:
        runtime = PythonRuntime()
        instance = await runtime.load(load_request(payload))
        await instance.stop()
        report = runtime.audit("hello", 1)
        assert report is not None
        assert report.clean
        assert report.problems == ()
        assert runtime.audit("hello", 1) is None

    run(scenario())


def test_a_patched_module_is_named(tmp_path: Path) -> None:
    source = HELLO + "import json\njson.plugbay_leak = [Hello]\n"
    report = cycle(source, tmp_path)
    try:
        assert report.alive
        (leak,) = report.leaks
        assert leak.kind == "class"
        assert leak.holder == "module json.plugbay_leak → an item of a list"
        assert "Hello is still there after stop" in report.problems[0].detail
    finally:
        vars(json).pop("plugbay_leak")


def test_a_class_attribute_is_named(tmp_path: Path) -> None:
    source = HELLO + "import json\njson.JSONEncoder.leak = lambda self, x: Hello\n"
    report = cycle(source, tmp_path)
    try:
        assert "class json.encoder.JSONEncoder.leak" in report.leaks[0].holder
    finally:
        del json.JSONEncoder.leak  # type: ignore[attr-defined] # the plugin has put it there


def test_a_thread_and_a_task_are_named(tmp_path: Path) -> None:
    source = (
        HELLO
        + """
import asyncio, threading
end = threading.Event()

def work():
    end.wait()

async def forever():
    await asyncio.sleep(3600)

async def start(self):
    threading.Thread(target=work, name="worker", daemon=True).start()
    self.task = asyncio.create_task(forever(), name="ticker")
    await asyncio.sleep(0)

Hello.start = start
"""
    )
    payload = write_payload(tmp_path, source)

    async def scenario() -> None:
        runtime = PythonRuntime()
        instance = await runtime.load(load_request(payload))
        await instance.start()
        module = sys.modules["_plugbay_hello_1.plugbay_hello"]
        await instance.stop()
        report = runtime.audit("hello", 1)
        assert report is not None
        found = {leak.kind: leak.what for leak in report.leaks}
        assert found["thread"] == "worker"
        assert found["task"].startswith("ticker in ")
        module.end.set()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        for thread in threading.enumerate():
            if thread.name == "worker":
                thread.join(100)
        await asyncio.sleep(0)
        del module, task, thread
        again = runtime.audit("hello", 1)
        assert again is not None
        assert again.clean, again

    run(scenario())


def test_an_open_descriptor_and_a_listening_socket_are_found(tmp_path: Path) -> None:
    source = (
        HELLO
        + f"""
import os, socket
async def start(self):
    fd = os.open({str(tmp_path / "kept")!r}, os.O_CREAT | os.O_WRONLY)
    listening = socket.create_server(("127.0.0.1", 0)).detach()
    pair = [s.detach() for s in socket.socketpair()]
    self.host.kept = [fd, listening, *pair]
Hello.start = start
"""
    )
    payload = write_payload(tmp_path / "payload", source)

    async def scenario() -> None:
        runtime = PythonRuntime()
        request = load_request(payload)
        instance = await runtime.load(request)
        await instance.start()
        kept = vars(request.host)["kept"]
        await instance.stop()
        careful = runtime.audit("hello", 1)
        exact = runtime.audit("hello", 1, exact=True)
        for number in kept:
            os.close(number)
        assert careful is not None
        assert exact is not None
        found = [leak.what.partition(" ")[0] for leak in careful.leaks]
        assert found == [str(number) for number in kept[:2]]
        assert str(tmp_path / "kept") in careful.leaks[0].what
        assert len(exact.leaks) == 4
        assert not careful.alive
        again = runtime.audit("hello", 1)
        assert again is not None
        assert again.clean

    run(scenario())


def test_only_so_many_are_remembered(tmp_path: Path) -> None:
    payload = write_payload(tmp_path)

    async def scenario() -> None:
        runtime = PythonRuntime()
        for number in range(1, 70):
            await (await runtime.load(load_request(payload, generation=number))).stop()
        assert runtime.audit("hello", 69) is not None
        assert runtime.audit("hello", 1) is None

    run(scenario())
