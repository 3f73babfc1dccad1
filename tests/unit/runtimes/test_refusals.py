"""What cannot be loaded is refused: precisely, all at once, and with nothing left behind."""

from __future__ import annotations

import gc
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.kernel import LoadFailed
from plugbay.runtimes import PythonRuntime
from unit.runtimes.wheels import HELLO, METADATA, WHEEL, load_request, run, write_payload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOOK = "    def on_request(self, request: Request) -> Response | None:"


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    finders = list(sys.meta_path)
    yield
    assert sys.meta_path == finders
    assert not [name for name in sys.modules if name.startswith("_plugbay_")]


def refusal(payload: Path, **said: Any) -> LoadFailed:
    async def scenario() -> LoadFailed:
        with pytest.raises(LoadFailed) as caught:
            await PythonRuntime().load(load_request(payload, **said))
        return caught.value

    error: LoadFailed = run(scenario())
    assert error.plugin == "hello"
    return error


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"files": {"plugbay_hello/fast.cpython-311-x86_64-linux-gnu.so": b"\x7fELF"}}, ".so"),
        ({"files": {"plugbay_hello/fast.pyd": b"MZ"}}, "fast.pyd"),
        ({"files": {"plugbay_hello.libs/libz.so.1": b"\x7fELF"}}, "libz.so.1"),
        ({"wheel": WHEEL.replace("true", "false")}, "not a pure Python wheel"),
        ({"metadata": METADATA + "Requires-Dist: no-such-thing>=2\n"}, "its own: no-such"),
        ({"metadata": METADATA + "Requires-Dist: packaging<1\n"}, "its own: packaging<1"),
        ({"metadata": METADATA + "Requires-Dist: ???\n"}, "of its own: ???"),
        ({"metadata": METADATA + "requires-dist:\r\n  folded-one\r\n"}, "its own: folded-one"),
        (
            {"metadata": METADATA + 'Requires-Dist: x; python_version > "3"\n'},
            "dependencies of its own: x",
        ),
    ],
)
def test_what_needs_a_process_of_its_own_is_told_so(
    tmp_path: Path, parts: dict[str, Any], said: str
) -> None:
    error = refusal(write_payload(tmp_path, **parts))
    assert said in error.detail
    assert 'runtime = "process"' in error.detail
    assert 'runtime = "process"' in error.problems[0].remedy


def test_plugbay_and_extras_are_no_dependencies(tmp_path: Path) -> None:
    metadata = METADATA + (
        "Requires-Dist: plugbay>=0.1\nRequires-Dist: Plugbay[otel]\n"
        "Requires-Dist: packaging>=1\n"
        'Requires-Dist: pytest; extra == "test"\n'
    )
    payload = write_payload(tmp_path, metadata=metadata)

    async def scenario() -> None:
        await (await PythonRuntime().load(load_request(payload))).stop()

    run(scenario())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"entry": "nonesuch:Hello"}, "the wheel has no module nonesuch"),
        ({"entry": "plugbay_hello.nope:Hello"}, "No module named 'plugbay_hello.nope'"),
        ({"entry": "plugbay_hello:Nope"}, "plugbay_hello has no class 'Nope'"),
        ({"entry": "plugbay_hello:Config"}, "Config is no subclass of plugbay.sdk.Plugin"),
        ({"entry": "json:JSONDecoder"}, "the wheel has no module json"),
        ({"provides": ("observer",)}, "it is not what the class inherits"),
        ({"config": {"greeting": 5}}, "Expected `str`, got `int`"),
        ({"config": {"greting": "hi"}}, "unknown key /greting"),
    ],
)
def test_what_the_manifest_says_must_be_so(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    error = refusal(write_payload(tmp_path), **change)
    assert said in error.detail
    assert "_plugbay_" not in error.detail


def test_a_suggestion_is_made_for_a_wrong_class(tmp_path: Path) -> None:
    error = refusal(write_payload(tmp_path), entry="plugbay_hello:Helo")
    assert error.problems[0].expected == "one of: Hello"


def test_a_missing_payload_and_a_borrowed_name(tmp_path: Path) -> None:
    assert "is not there" in refusal(tmp_path / "nowhere").detail
    payload = write_payload(tmp_path, files={"json/__init__.py": "", "plugbay/x.py": ""})
    details = [problem.detail for problem in refusal(payload).problems]
    assert [("'json'" in d, "'plugbay'" in d) for d in details] == [(True, False), (False, True)]


@pytest.mark.parametrize(
    ("source", "detail", "found"),
    [
        (HELLO.replace("(self, request", "(self"), "cannot be called with (request)", "(self)"),
        (
            HELLO.replace("request: Request", "request: Request, other"),
            "Hello.on_request cannot be called with (request)",
            "on_request(self, request, other)",
        ),
        (HELLO.replace("request: Request", "request, *, key"), "cannot be called", "key"),
        (HELLO.replace("return Response", "yield Response"), "is a generator", "a generator"),
        (
            HELLO.replace("def on_request", "async def on_request").replace("return R", "yield R"),
            "is an async generator",
            "an async generator",
        ),
        (HELLO.replace("on_request", "on_reqest"), "does not define its hook", "nothing"),
        (HELLO + "Hello.on_request = 5\n", "Hello.on_request is no function", "int"),
        (
            HELLO + "    def start(self): ...\n",
            "Hello.start is a plain function",
            "a plain function",
        ),
        (HELLO + "    async def stop(self): yield\n", "an async generator", "an async generator"),
        (HELLO + "    async def health(self, x): ...\n", "Hello.health cannot be", "(self, x)"),
    ],
)
def test_a_wrong_hook_is_named(tmp_path: Path, source: str, detail: str, found: str) -> None:
    error = refusal(write_payload(tmp_path, source))
    assert detail in error.detail
    assert any(found in problem.found for problem in error.problems)
    assert all(problem.expected and problem.remedy for problem in error.problems)


OTHERS = """
from plugbay.sdk import BodyFilter, Plugin, ResponseFilter, Stateful
class Hello(Plugin, ResponseFilter, BodyFilter, Stateful):
    def on_response(self, response, request): ...
    async def request_body(self, request, chunks): ...
    def response_body(self, request, response, chunks):
        yield b""
    async def snapshot(self): ...
    def restore(self): ...
"""


def test_everything_that_is_wrong_is_reported_at_once(tmp_path: Path) -> None:
    provides = ("response-filter", "body-filter", "stateful")
    error = refusal(write_payload(tmp_path, OTHERS), provides=provides)
    details = [problem.detail for problem in error.problems]
    assert details == [
        "Hello.on_response takes its parameters in another order than it is given them",
        "Hello.request_body is a coroutine function",
        "Hello.response_body is a generator",
        "Hello.snapshot is a coroutine function",
        "Hello.restore cannot be called with (state)",
    ]


def test_nothing_inherited_and_nothing_overridden(tmp_path: Path) -> None:
    bare = "from plugbay.sdk import BodyFilter, Plugin\nclass Hello(Plugin{}): ...\n"
    error = refusal(write_payload(tmp_path / "a", bare.format("")))
    assert "inherit a capability" in error.problems[0].remedy
    payload = write_payload(tmp_path / "b", bare.format(", BodyFilter"))
    error = refusal(payload, provides=("body-filter",))
    assert " or " in error.problems[0].expected


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("class Config:\n    x = 1\n", "its configuration is no dataclass"),
        ("Config = dict\n", "its configuration is no dataclass"),
        ("Config = 'Nowhere'\n", "its configuration is no dataclass"),
        (
            "@dataclass\nclass Config:\n    x: int = 1\n    def __post_init__(self): 1 / 0\n",
            "ZeroDivisionError",
        ),
        (
            "@dataclass\nclass Config:\n    def __post_init__(self): raise ValueError('not so')\n",
            "not so",
        ),
    ],
)
def test_a_wrong_configuration_class(tmp_path: Path, config: str, said: str) -> None:
    head, _, tail = HELLO.partition("@dataclass(frozen=True, slots=True)")
    source = head + config + tail[tail.index("\n\nclass Hello") :]
    assert said in refusal(write_payload(tmp_path, source)).detail


def test_a_nested_unknown_key_is_named(tmp_path: Path) -> None:
    source = HELLO.replace(
        "class Config:\n", "class Part:\n    size: int = 1\n\n@dataclass\nclass Config:\n"
    ).replace(
        '"hello"\n', '"hello"\n    part: Part = Part()\n    parts: list[Part] | None = None\n'
    )
    payload = write_payload(tmp_path, source)
    error = refusal(payload, config={"part": {"sise": 2}, "parts": [{"size": 1}, {"sz": 3}]})
    assert {problem.pointer for problem in error.problems} == {"/part/sise", "/parts/1/sz"}


@pytest.mark.parametrize(
    ("source", "config"),
    [
        ("from plugbay_hello import __name__\n1 / 0\n", {}),
        (HELLO, {"greeting": 1}),
        (HELLO, {"greting": "hi"}),
        (HELLO + "    def __init__(self, config, host): 1 / 0\n", {}),
        (HELLO.replace("(self, request", "(self"), {}),
    ],
)
def test_a_failure_that_is_kept_keeps_nothing_of_the_plugin(
    tmp_path: Path, source: str, config: dict[str, Any]
) -> None:
    error = refusal(write_payload(tmp_path, source), config=config)
    gc.collect()
    things = gc.get_objects()
    modules = [thing.__name__ for thing in things if isinstance(thing, types.ModuleType)]
    assert not [name for name in modules if name.startswith("_plugbay_")]
    assert error.__context__ is None


def test_a_class_that_cannot_be_built(tmp_path: Path) -> None:
    source = HELLO + "    def __init__(self, config, host):\n        raise SystemExit('no')\n"
    error = refusal(write_payload(tmp_path, source))
    assert "Hello(config, host) failed: SystemExit: no (plugbay_hello/__init__.py" in error.detail
