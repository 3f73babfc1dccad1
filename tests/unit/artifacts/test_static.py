"""The layer `static`: what the source says, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts._source import check_sources

if TYPE_CHECKING:
    from plugbay.artifacts import Finding


HEAD = "from plugbay.sdk import *\nfrom plugbay.sdk import Plugin, RequestFilter, BodyFilter\n"
HEAD += "from plugbay.sdk import Stateful, EventHandler, AsgiApp, ResponseFilter, Observer\n"


def look(
    source: str, provides: tuple[str, ...] = ("request-filter",), **modules: str
) -> list[Finding]:
    """Check `p/__init__.py`, and more modules of the package by name."""
    sources = {"p/__init__.py": source.encode()}
    sources.update({f"p/{name}.py": text.encode() for name, text in modules.items()})
    return check_sources(sources, "p:P", provides)


def text(findings: list[Finding]) -> str:
    return "\n".join(f"{f.severity}: {f.detail} | {f.expected} | {f.remedy}" for f in findings)


def methods(body: str, *bases: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"{HEAD}class P(Plugin[int], {', '.join(bases or ('RequestFilter',))}):\n{lines}\n"


def test_a_good_plugin_has_no_finding() -> None:
    assert look(methods("def on_request(self, request): ...")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import plugbay.sdk\nclass P(plugbay.sdk.Plugin[int], plugbay.sdk.RequestFilter):\n",
        "from plugbay import sdk\nclass P(sdk.Plugin[int], sdk.RequestFilter):\n",
        "import plugbay.sdk as s\nclass P(s.Plugin, s.RequestFilter):\n",
        (
            "if True:\n    from plugbay.sdk import Plugin as B, RequestFilter\nclass P(B[int],"
            " RequestFilter):\n"
        ),
        (
            "try:\n    from plugbay.sdk import Plugin, RequestFilter\n"
            "except ImportError:\n    x = 1\n"
            "class P(Plugin[int], RequestFilter):\n"
        ),
    ],
)
def test_every_way_to_name_the_sdk_is_understood(source: str) -> None:
    assert look(source + "    def on_request(self, request): ...\n") == []


def test_a_class_is_followed_through_modules() -> None:
    inner = methods("def on_request(self, request): ...").replace("class P", "class Inner")
    base = "from .inner import Inner\n__all__ = ['Inner']\n"
    assert look("from .base import Inner as P\n", base=base, inner=inner) == []
    absolute = "import p.base\nclass P(p.base.Inner): ...\n"
    assert look(absolute, base=base, inner=inner) == []
    wrong = inner.replace("self, request", "self")
    assert "has the wrong parameters" in text(
        look("from p.base import Inner as P\n", base=base, inner=wrong)
    )


def test_bases_may_be_shared_and_circular() -> None:
    source = f"{HEAD}class A(Plugin[int], RequestFilter):\n    def on_request(self, request): ...\n"
    assert look(f"{source}class B(A): ...\nclass C(A): ...\nclass P(B, C): ...\n") == []
    looped = look("from .a import P\n", a="from .b import P\n", b="from .a import P\n")
    assert looped == []  # not to be told from here; the trial will
    knot = "class A(P): ...\nclass P(A): ...\n"
    assert "P is no Plugin" in text(look(knot))


def test_a_missing_class_is_named_with_those_that_are_there() -> None:
    (finding,) = look("class Q: ...\nx = 1\n")
    assert finding.detail == "the module p has no class P"
    assert finding.found == "Q"


@pytest.mark.parametrize(
    "source",
    [
        "from somewhere import *\n",
        "def __getattr__(name): ...\n",
        "P = type('P', (), {})\n",
        "from json import JSONDecoder as P\n",
    ],
)
def test_a_class_that_cannot_be_seen_is_left_to_the_trial(source: str) -> None:
    assert [f for f in look(source) if f.severity == "error"] == []


def test_a_plugin_must_inherit_plugin() -> None:
    (finding,) = look(f"{HEAD}class P(RequestFilter):\n    def on_request(self, request): ...\n")
    assert finding.detail == "P is no Plugin"
    assert finding.found == "RequestFilter"


def test_provides_and_bases_must_agree() -> None:
    found = look(methods("def on_request(self, request): ..."), ("observer",))
    assert "provides 'observer', but P does not inherit Observer" in text(found)
    assert "P inherits RequestFilter, but the manifest does not provide" in text(found)
    assert {finding.severity for finding in found} == {"error"}


def test_what_an_unseen_base_may_bring_is_a_warning() -> None:
    source = "from elsewhere import Base\nclass P(Base):\n    def on_request(self, request): ...\n"
    found = look(source)
    assert "P is no Plugin" in text(found)
    assert {finding.severity for finding in found} == {"warning"}


@pytest.mark.parametrize(
    ("body", "base", "wrong"),
    [
        ("def on_request(self): ...", "RequestFilter", "has the wrong parameters"),
        ("def on_request(): ...", "RequestFilter", "has the wrong parameters"),
        ("def on_request(self, a, b): ...", "RequestFilter", "has the wrong parameters"),
        ("def on_request(self, a, *, b): ...", "RequestFilter", "has the wrong parameters"),
        ("def on_request(self, a):\n    yield a", "RequestFilter", "must not yield"),
        ("async def on_request(self, a):\n    yield a", "RequestFilter", "must not yield"),
        ("def on_response(self, response, request): ...", "ResponseFilter", "another order"),
        ("def request_body(self, r, c):\n    yield c", "BodyFilter", "must return an async"),
        ("async def request_body(self, r, c): ...", "BodyFilter", "must return an async"),
        ("def response_body(self, r, c): ...", "BodyFilter", "has the wrong parameters"),
        ("async def snapshot(self): ...\ndef restore(self, s): ...", "Stateful", "must be a plain"),
        ("def snapshot(self):\n    yield 1\ndef restore(self, s): ...", "Stateful", "a plain"),
        ("def start(self): ...\ndef on_request(self, a): ...", "RequestFilter", "a coroutine"),
        ("async def stop(self): yield\ndef on_request(self, a): ...", "RequestFilter", "coroutine"),
        ("def app(self, scope): ...", "AsgiApp", "has the wrong parameters"),
    ],
)
def test_a_wrong_hook_is_an_error(body: str, base: str, wrong: str) -> None:
    capability = {
        "RequestFilter": "request-filter",
        "ResponseFilter": "response-filter",
        "BodyFilter": "body-filter",
        "Stateful": "stateful",
        "AsgiApp": "asgi-app",
    }[base]
    (finding,) = look(methods(body, base), (capability,))
    assert wrong in finding.detail
    assert finding.severity == "error"
    assert finding.expected
    assert finding.found
    assert finding.detail.startswith("p/__init__.py:5: ")


@pytest.mark.parametrize(
    ("body", "base", "capability"),
    [
        ("async def on_request(self, request): ...", "RequestFilter", "request-filter"),
        ("def on_request(self, *args): ...", "RequestFilter", "request-filter"),
        ("def on_request(self, r, x=1, *, y=2): ...", "RequestFilter", "request-filter"),
        ("def on_request(self, r, /): ...", "RequestFilter", "request-filter"),
        ("@cached\ndef on_request(self): ...", "RequestFilter", "request-filter"),
        ("on_request = make()", "RequestFilter", "request-filter"),
        ("def request_body(self, r, c): return c", "BodyFilter", "body-filter"),
        ("async def response_body(self, r, s, c):\n    yield b''", "BodyFilter", "body-filter"),
        ("async def start(self):\n    self.app = 1", "AsgiApp", "asgi-app"),
        ("async def app(self, a, b, c): ...", "AsgiApp", "asgi-app"),
        ("def on_event(self, event): ...\ntopics = ('x',)", "EventHandler", "event-handler"),
        (
            "def on_request(self, r):\n    def inner():\n        yield 1",
            "RequestFilter",
            "request-filter",
        ),
    ],
)
def test_a_right_hook_is_none(body: str, base: str, capability: str) -> None:
    assert look(methods(body, base), (capability,)) == []


@pytest.mark.parametrize(
    ("base", "capability", "missing"),
    [
        ("RequestFilter", "request-filter", "P has no on_request"),
        ("Observer", "observer", "P has no on_complete"),
        ("BodyFilter", "body-filter", "P filters no body"),
        ("Stateful", "stateful", "P has no restore"),
    ],
)
def test_a_missing_hook_is_an_error(base: str, capability: str, missing: str) -> None:
    assert missing in text(look(methods("pass", base), (capability,)))


def test_a_hook_that_is_never_called_is_a_warning() -> None:
    body = "def on_request(self, r): ...\ndef on_requests(self): ...\ndef on_snow(self): ...\n"
    body += "def on_response(self, a, b): ...\ndef helper(self): ...\ndef snapshots(self): ..."
    found = look(methods(body))
    assert {finding.severity for finding in found} == {"warning"}
    assert [f.detail.split(": ", 1)[1].split(" ")[0] for f in found] == [
        "on_requests",
        "on_snow",
        "on_response",
        "snapshots",
    ]
    assert found[0].remedy == "did you mean on_request?"


def test_blocking_calls_in_hooks_are_warnings() -> None:
    body = """\
async def start(self):
    time.sleep(1)
def on_request(self, request):
    import requests as r
    time.sleep(1)
    nap(2)
    subprocess.run(["x"])
    r.get("http://x")
    input()
    self.x.sleep(1)
    (lambda: 1)()
    await asyncio.to_thread(lambda: time.sleep(1))
    def later():
        time.sleep(1)
""".replace("await ", "")
    source = "import time, subprocess, asyncio\nfrom time import sleep as nap\n" + methods(body)
    found = look(source)
    assert {finding.severity for finding in found} == {"warning"}
    assert [finding.found for finding in found] == [
        "time.sleep",
        "time.sleep",
        "subprocess.run",
        "requests.get",
        "input",
    ]


def test_foreign_imports_are_warnings() -> None:
    source = "import numpy.linalg\nimport json, p.x\nfrom plugbay.kernel import Slot\n"
    source += "from plugbay import sdk\nfrom . import y\nfrom plugbay import gateway\n"
    source += "try:\n    import orjson\nexcept ImportError: ...\n"
    found = look(source + methods("def on_request(self, request): ..."), x="", y="")
    assert [finding.found for finding in found] == ["numpy.linalg", "plugbay.kernel", "plugbay"]
    assert {finding.severity for finding in found} == {"warning"}


def test_relative_imports_of_any_level() -> None:
    inner = "from ..base import Base as P\n"
    base = methods("def on_request(self): ...").replace("class P", "class Base")
    sources = {
        "p/__init__.py": b"from .sub import P\n",
        "p/sub/__init__.py": b"from .inner import P\n",
        "p/sub/inner.py": inner.encode(),
        "p/base.py": base.encode(),
    }
    (finding,) = check_sources(sources, "p:P", ("request-filter",))
    assert finding.detail.startswith("p/base.py:5: on_request has the wrong parameters")


@pytest.mark.parametrize(
    "source",
    ["def f(:\n", "x = (\n", "\0", "match = \xff", "(" * 500, "-" * 100_000 + "1", "x = '\\d'\n)"],
)
def test_every_syntax_error_is_reported(source: str) -> None:
    sources = {"p/__init__.py": source.encode("latin-1"), "p/b.py": b"1 = 2\n", "p/c.py": b""}
    found = check_sources(sources, "p:P", ())
    assert [f.detail.split(":")[0] for f in found] == ["p/__init__.py", "p/b.py"]
    assert all("this Python cannot read it" in finding.detail for finding in found)
