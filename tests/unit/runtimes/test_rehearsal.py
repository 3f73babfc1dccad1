"""The stages of a trial, run in this process: what each finds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.runtimes._rehearsal import Rehearsal
from plugbay.runtimes._trial_messages import Findings, Job, Stage
from plugbay.runtimes._trial_report import TrialLimits
from unit.runtimes.wheels import HELLO, manifest, run, write_payload

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.runtimes._trial_messages import Message

EVERYTHING = """
import pickle
from plugbay.sdk import (
    AsgiApp, BodyFilter, EventHandler, Observer, Plugin, RequestFilter, Response, ResponseFilter,
    Stateful,
)
class Hello(
    Plugin, RequestFilter, ResponseFilter, BodyFilter, Observer, AsgiApp, EventHandler, Stateful
):
    topics = ("*",)
    async def start(self):
        self.seen = []
        async def app(scope, receive, send):
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})
        self.app = app
        self.host.spawn(self.work(), name="work")
    async def work(self):
        self.host.metrics.counter("n_total", "N.").inc()
        self.host.events.publish("hello.made", by=self.host.plugin)
        await self.host.kv.set("a", b"1")
        assert self.host.secrets.get("token") == "trial-token"
        assert self.host.clock.time() > 1e9 and self.host.now() >= 0
        raise RuntimeError("background")
    async def on_request(self, request):
        body = await request.read(1000)
        self.seen.append((request.method, len(body)))
    def on_response(self, request, response):
        response.headers.set("x-hello", "1")
    async def request_body(self, request, chunks):
        async for chunk in chunks:
            yield chunk.upper()
    def response_body(self, request, response, chunks):
        return chunks
    def on_complete(self, request, response, timing):
        pass
    async def on_event(self, event):
        pass
    def snapshot(self):
        return pickle.dumps(self.seen)
    def restore(self, state):
        self.seen = pickle.loads(state)
        assert [m for m, _ in self.seen] == ["GET", "HEAD", "POST"], self.seen
"""
ALL = (
    "request-filter",
    "response-filter",
    "body-filter",
    "observer",
    "asgi-app",
    "event-handler",
    "stateful",
)


def rehearse(tmp_path: Path, source: str, **said: Any) -> tuple[Findings, list[str]]:
    payload = write_payload(tmp_path, source)
    stages = list[str]()

    def tell(message: Message) -> None:
        if isinstance(message, Stage):
            stages.append(message.name)

    job = Job(str(payload), manifest(**said), TrialLimits())
    found: Findings = run(Rehearsal(job, tell).run())
    return found, stages


def test_everything_a_plugin_can_do_is_tried(tmp_path: Path) -> None:
    permissions = type(manifest().permissions)(secrets=("token",))
    found, stages = rehearse(tmp_path, EVERYTHING, provides=ALL, permissions=permissions)
    assert found.problems == []
    assert [w.detail for w in found.warnings] == ["work: RuntimeError: background"] * 2
    assert found.hooks == sorted(
        (
            "on_request",
            "on_response",
            "request_body",
            "response_body",
            "on_complete",
            "app",
            "on_event",
        )
    )
    assert stages[:4] == ["load", "config", "start", "health"]
    assert stages[-6:] == ["restart", "health", "restore", "health", "stop", "audit"]


@pytest.mark.parametrize(
    ("old", "new", "pointer", "said"),
    [
        ("self.seen = []\n", "raise OSError('no')\n", "start", "OSError: no"),
        (
            "self.seen = []\n",
            "await __import__('asyncio').sleep(9)\n",
            "start",
            "longer than 0.2 s",
        ),
        ("self.app = app\n", "pass\n", "start", "has no app"),
        ('"type": "http.response.start"', '"type": "http"', "app", "not a whole HTTP response"),
        ("return chunks", "return [b'x']", "response_body", "returned list, not an async iterator"),
        ("yield chunk.upper()", "yield 'x'", "request_body", "yielded str, not bytes"),
        ('response.headers.set("x-hello", "1")', "return 5", "on_response", "returned int"),
        ('response.headers.set("x-hello", "1")', "return self.stop()", "on_response", "awaitable"),
        ("return pickle.dumps(self.seen)", "return 'text'", "snapshot", "must return bytes"),
        ("self.seen = pickle.loads(state)", "raise KeyError('v')", "restore", "KeyError: 'v'"),
    ],
)
def test_what_goes_wrong_is_named(
    tmp_path: Path, old: str, new: str, pointer: str, said: str
) -> None:
    assert old in EVERYTHING
    # Only for what is meant to be late: any other may wait for a core that long.
    limits = type(manifest().limits)(start_ms=200 if "longer" in said else 10_000)
    permissions = type(manifest().permissions)(secrets=("token",))
    source = EVERYTHING.replace(old, new)
    found, _ = rehearse(tmp_path, source, provides=ALL, limits=limits, permissions=permissions)
    (problem,) = found.problems
    assert (problem.pointer, said in problem.detail) == (pointer, True), problem


def test_required_fields_of_the_configuration_are_no_fault(tmp_path: Path) -> None:
    source = HELLO.replace(' = "hello"', "")
    found, stages = rehearse(tmp_path, source)
    assert found.problems == []
    assert "no default for greeting" in found.warnings[0].detail
    assert found.config_schema is not None
    assert stages == ["load", "config"]


def test_defaults_that_are_refused_are_a_fault(tmp_path: Path) -> None:
    source = HELLO.replace(
        'greeting: str = "hello"\n',
        'greeting: str = "hello"\n    def __post_init__(self): raise ValueError("too short")\n',
    )
    found, _ = rehearse(tmp_path, source)
    assert "too short" in found.problems[0].detail


def test_a_configuration_without_schema_is_a_fault(tmp_path: Path) -> None:
    source = HELLO.replace("greeting: str", "greeting: complex")
    found, _ = rehearse(tmp_path, source)
    assert "no JSON Schema" in found.problems[0].detail


def test_without_a_network_a_plugin_that_needs_one_is_not_blamed(tmp_path: Path) -> None:
    source = HELLO + "async def start(self): raise ConnectionRefusedError('no network')\n"
    source += "Hello.start = start\n"
    permissions = type(manifest().permissions)(network=("auth.example.com",))
    found, _ = rehearse(tmp_path, source, permissions=permissions)
    assert found.problems == []
    assert found.warnings[0].pointer == "start"


def test_a_leak_is_a_warning(tmp_path: Path) -> None:
    import json

    source = HELLO + "import json\njson.plugbay_leak = Hello\n"
    found, _ = rehearse(tmp_path, source)
    vars(json).pop("plugbay_leak")
    assert found.problems == []
    assert "module json.plugbay_leak" in found.warnings[0].detail


def test_a_cancelled_rehearsal_stops_the_plugin(tmp_path: Path) -> None:
    source = HELLO + "import asyncio\nasync def start(self): await asyncio.sleep(3600)\n"
    payload = write_payload(tmp_path, source + "Hello.start = start\n")
    reached = list[str]()

    async def scenario() -> None:
        started = asyncio.Event()

        def tell(message: Message) -> None:
            if isinstance(message, Stage):
                reached.append(message.name)
                if message.name == "start":
                    started.set()

        job = Job(str(payload), manifest(), TrialLimits())
        running = asyncio.ensure_future(Rehearsal(job, tell).run())
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    run(scenario())
    assert reached[-2:] == ["stop", "audit"]
