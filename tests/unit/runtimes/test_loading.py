"""Modules of a wheel find each other, whatever else of that name is loaded."""

from __future__ import annotations

import asyncio
import logging
import sys
import typing
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.kernel import LoadFailed
from plugbay.runtimes import PythonRuntime
from plugbay.sdk import Request
from unit.runtimes.wheels import HELLO, load_request, run, until, write_payload

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.runtimes import PythonInstance

IMPORTS = """
import importlib
import importlib.resources
import importlib.resources as res
import logging
import pickle
import pkgutil
import plugbay_hello.util
import plugbay_hello.deep.inner as inner
import plugbay_helper
from dataclasses import dataclass
from importlib import import_module, resources
from importlib.resources import files
from plugbay_hello import util
from plugbay_hello.deep import *
from plugbay_hello.util import VERSION
from plugbay.sdk import Plugin, Request, RequestFilter, Response, Stateful
from . import util as relative
from .deep.inner import up

log = logging.getLogger(__name__)


@dataclass
class Entry:
    number: int
    next: "Entry | None" = None


class Hello(Plugin, RequestFilter, Stateful):
    def on_request(self, request: Request) -> Response:
        import plugbay_hello.lazy
        from plugbay_hello.lazy import WHEN

        log.warning("asked")
        return Response.json({
            "same": util is relative is plugbay_hello.util is up() is self.found(),
            "version": [VERSION, plugbay_hello.lazy.VERSION, WHEN, plugbay_helper.VERSION],
            "inner": [inner.__name__ == __name__ + ".deep.inner", star],
            "resource": [
                files(__package__).joinpath("data/greeting.txt").read_text(),
                resources.files("plugbay_hello").joinpath("data/greeting.txt").read_text(),
                res.files("plugbay_hello.data").joinpath("greeting.txt").read_text(),
                importlib.resources.files("plugbay_hello").joinpath("plugbay.toml").read_text(),
                pkgutil.get_data("plugbay_hello", "data/greeting.txt").decode(),
            ],
            "submodules": sorted(m.name for m in pkgutil.iter_modules(plugbay_hello.__path__)),
            "eval": eval("__import__('plugbay_hello.util').util is util"),
            "relative": import_module(".util", "plugbay_hello") is util,
        })

    def found(self):
        return importlib.import_module("plugbay_hello.util")

    def snapshot(self) -> bytes:
        return pickle.dumps(Entry(1, Entry(2)))

    def restore(self, state: bytes) -> None:
        self.entry = pickle.loads(state)
        assert type(self.entry) is type(self.entry.next) is Entry
"""


def modules(version: str) -> dict[str, str | bytes]:
    return {
        "plugbay_hello/util.py": f"import plugbay_helper\nVERSION = {version!r}\n",
        "plugbay_hello/lazy.py": (
            "from plugbay_hello.util import VERSION\nimport plugbay_hello\n"
            "WHEN = plugbay_hello.util.VERSION\n"
        ),
        "plugbay_hello/deep/__init__.py": "__all__ = ['star']\nstar = 'star'\n",
        "plugbay_hello/deep/inner.py": (
            "def up():\n    from ... import plugbay_hello\n"
            "    from ..util import VERSION\n    from .. import util\n    return util\n"
        ),
        "plugbay_hello/data/greeting.txt": f"greeting of {version}",
        "plugbay_hello/plugbay.toml": version,
        "plugbay_helper.py": f"VERSION = {version!r}\n",
    }


def answer(instance: PythonInstance) -> Any:
    import json

    response = instance.hooks["on_request"].call(Request("GET", "/"))
    return json.loads(response.body)


def test_every_way_to_import_leads_to_the_own_generation(tmp_path: Path) -> None:
    path = list(sys.path)
    payloads = [write_payload(tmp_path / v, IMPORTS, files=modules(v)) for v in ("1.0", "2.0")]
    both = ("request-filter", "stateful")

    async def scenario() -> None:
        runtime = PythonRuntime()
        first = await runtime.load(load_request(payloads[0], generation=1, provides=both))
        second = await runtime.load(load_request(payloads[1], generation=2, provides=both))
        for version, instance in (("2.0", second), ("1.0", first), ("2.0", second)):
            assert answer(instance) == {
                "same": True,
                "version": [version] * 4,
                "inner": [True, "star"],
                "resource": [
                    *[f"greeting of {version}"] * 3,
                    version,
                    f"greeting of {version}",
                ],
                "submodules": ["deep", "lazy", "util"],
                "eval": True,
                "relative": True,
            }
        state = await first.snapshot()
        assert state is not None
        await second.restore(state)
        await first.stop()
        assert answer(second)["version"] == ["2.0"] * 4
        await second.restore(state)
        await second.stop()

    run(scenario())
    assert sys.path == path
    assert not [name for name in sys.modules if name.startswith("_plugbay_hel")]
    assert not [p for p in tmp_path.rglob("*") if p.suffix == ".pyc" or p.name == "__pycache__"]
    assert not [name for name in logging.root.manager.loggerDict if "plugbay_hello" in name]


def test_a_stopped_generation_imports_nothing_any_more(tmp_path: Path) -> None:
    files = modules("1.0")
    payload = write_payload(tmp_path, IMPORTS, files=files)

    async def scenario() -> None:
        instance = await PythonRuntime().load(
            load_request(payload, provides=("request-filter", "stateful"))
        )
        hook = instance.hooks["on_request"].call
        await instance.stop()
        with pytest.raises(ImportError, match="this generation was stopped"):
            hook(Request("GET", "/"))

    run(scenario())


def test_type_hints_and_dataclasses_see_their_own_module(tmp_path: Path) -> None:
    source = "from __future__ import annotations\n" + HELLO.replace(
        "    def on_request", "    other: Config\n\n    def on_request"
    )
    payload = write_payload(tmp_path, source)

    async def scenario() -> None:
        instance = await PythonRuntime().load(load_request(payload, config={"greeting": "hi"}))
        hello = type(vars(instance)["_object"])
        assert typing.get_type_hints(hello)["other"].__name__ == "Config"
        await instance.stop()

    run(scenario())


def test_a_directory_without_init_is_a_package_too(tmp_path: Path) -> None:
    payload = write_payload(
        tmp_path,
        HELLO.replace("self.config.greeting", "WORD")
        + "\nfrom plugbay_hello.space.word import WORD",
        files={"plugbay_hello/space/word.py": "WORD = 'found'\n"},
    )

    async def scenario() -> None:
        instance = await PythonRuntime().load(load_request(payload))
        response = instance.hooks["on_request"].call(Request("GET", "/"))
        assert response.body == b"found"
        await instance.stop()

    run(scenario())


def test_atexit_means_the_end_of_the_generation(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    source = HELLO + (
        "import atexit, pathlib\n"
        f"marks = pathlib.Path({str(marks)!r})\n"
        "def note(word, end=''): marks.write_text((marks.read_text() if marks.exists() else '')"
        " + word + end)\n"
        "atexit.register(note, 'last', end='!')\n"
        "atexit.register(note, 'first, ')\n"
        "def never(): note('never')\n"
        "atexit.register(never)\n"
        "atexit.unregister(never)\n"
        "@atexit.register\n"
        "def broken(): raise SystemExit(3)\n"
    )
    payload = write_payload(tmp_path / "payload", source)

    async def scenario() -> None:
        instance = await PythonRuntime().load(load_request(payload))
        assert not marks.exists()
        await instance.stop()

    run(scenario())
    assert marks.read_text() == "first, last!"


def test_the_loop_runs_on_while_a_plugin_is_imported(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    source = (
        f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.001)\n" + HELLO
    )
    payload = write_payload(tmp_path / "payload", source)

    async def scenario() -> None:
        loading = asyncio.ensure_future(PythonRuntime().load(load_request(payload)))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not loading.done()
        gate.touch()
        await (await loading).stop()

    run(scenario())


def test_a_cancelled_load_leaves_nothing(tmp_path: Path) -> None:
    payload = write_payload(tmp_path, "while True: pass\n")

    async def scenario() -> None:
        loading = asyncio.ensure_future(PythonRuntime().load(load_request(payload)))
        await until(lambda: "_plugbay_hello_1.plugbay_hello" in sys.modules)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        await until(
            lambda: not any(name.startswith("_plugbay_hello") for name in tuple(sys.modules))
        )

    run(scenario())
    assert not [finder for finder in sys.meta_path if hasattr(finder, "alias")]


def test_a_load_that_ends_after_it_was_cancelled_is_undone(tmp_path: Path) -> None:
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    source = (
        f"import os, time\nos.close(os.open({str(begun)!r}, os.O_CREAT))\n"
        f"while not os.path.exists({str(gate)!r}):\n"
        "    try: time.sleep(0.001)\n    except BaseException: pass\n" + HELLO
    )
    payload = write_payload(tmp_path / "payload", source)

    async def scenario() -> None:
        loading = asyncio.ensure_future(PythonRuntime().load(load_request(payload)))
        await until(begun.exists)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        again = load_request(payload)  # the same generation, while the first is ending
        gate.touch()
        instance = await PythonRuntime().load(again)
        assert instance.alias in ("_plugbay_hello_1", "_plugbay_hello_1r2")
        await instance.stop()
        await until(
            lambda: not any(name.startswith("_plugbay_hello") for name in tuple(sys.modules))
        )

    run(scenario())


def test_a_failed_import_leaves_nothing_and_says_where(tmp_path: Path) -> None:
    payload = write_payload(
        tmp_path,
        "from plugbay_hello import util\n",
        files={"plugbay_hello/util.py": "\n\nimport nonesuch\n"},
    )

    async def scenario() -> None:
        with pytest.raises(LoadFailed) as caught:
            await PythonRuntime().load(load_request(payload, generation=7))
        error = caught.value
        assert error.generation == 7
        assert "No module named 'nonesuch' (plugbay_hello/util.py, line 3)" in error.detail
        assert 'runtime = "process"' in error.problems[0].remedy
        assert error.__cause__ is None

    run(scenario())
    assert not [name for name in sys.modules if name.startswith("_plugbay_hello")]
