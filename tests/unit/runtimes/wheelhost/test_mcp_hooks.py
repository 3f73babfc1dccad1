"""The hooks of MCP messages do the same in process and in a process of its own."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from plugbay.kernel import HookFailed
from plugbay.sdk import Block, McpSession, Message
from plugbay.sdk.testing import McpTalk
from unit.runtimes.wheelhost.both import BOTH, Runtime, ask, running
from unit.runtimes.wheels import load_request, run, write_payload

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.kernel import LoadRequest

both = pytest.mark.parametrize("runtime", BOTH)
WATCHER = """
import asyncio
from plugbay.sdk import Block, McpFilter, Plugin


class Watcher(Plugin, McpFilter):
    seen = ()

    async def on_tool_call(self, message):
        name = message.target
        state = message.session.state
        state["calls"] = state.get("calls", 0) + 1
        await asyncio.sleep(0)
        if name == "refuse":
            return Block("not today", 42901, "budget", 2.5, as_error=True)
        if name == "cached":
            return message.answer({"content": [{"type": "text", "text": "from memory"}]})
        if name == "change":
            return message.with_arguments({**message.arguments, "who": message.session.identity})
        if name == "break":
            raise LookupError("it broke")
        if name == "wrong":
            return "no message"
        return None

    def on_tool_result(self, message):
        calls = message.session.state.get("calls", 0)
        said = message.request.arguments.get("q", "")
        text = f"{calls} {said} {message.headers.get('x-a', '-')} {message.text}"
        return message.replace(result={"content": [{"type": "text", "text": text}]})

    def on_session(self, session):
        return Block("go away") if session.client == "bad" else None

    def on_stderr(self, session, line):
        self.seen += (line,)

    def on_exit(self, session, code):
        self.seen += (code,)

    def on_notification(self, message):
        return message.replace(params={"seen": list(self.seen)})
"""


def watcher(folder: Path) -> LoadRequest:
    payload = write_payload(folder, WATCHER)
    return load_request(payload, entry="plugbay_hello:Watcher", provides=("mcp-filter",))


@both
def test_hooks_pass_change_block_and_answer(
    tmp_path: Path, runtime: Runtime, environment: Path
) -> None:
    talk = McpTalk(identity="ann")

    async def main() -> dict[str, Any]:
        async with running(watcher(tmp_path), runtime, environment) as instance:
            found = {
                name: await ask(instance, "on_tool_call", talk.call(name, q=1))
                for name in ("plain", "refuse", "cached", "change")
            }
            call = talk.call("echo", q="näh")
            found["result"] = await ask(
                instance, "on_tool_result", talk.response(call, content=[{"text": "hi"}])
            )
            return found

    found = run(main())
    assert found["plain"] is None
    assert found["refuse"] == Block("not today", 42901, "budget", 2.5, as_error=True)
    cached, changed, result = found["cached"], found["change"], found["result"]
    assert isinstance(cached, Message)
    assert (cached.direction, cached.kind, cached.id) == ("to-client", "response", 3)
    assert cached.text == "from memory"
    assert isinstance(changed, Message)
    assert (changed.id, changed.target) == (4, "change")
    assert changed.arguments == {"q": 1, "who": "ann"}
    assert changed.session is talk.session
    assert isinstance(result, Message)
    assert result.text == "4 näh - hi"  # a session's state is one for all of its calls
    assert result.request is not None


def test_what_the_gateway_cannot_read_does_not_reach_a_process(
    tmp_path: Path, environment: Path
) -> None:
    def refuse(raw: bytes) -> Any:
        raise ValueError("a member is there twice")

    async def main() -> None:
        async with running(watcher(tmp_path), "process", environment) as instance:
            call = McpTalk().call("plain")
            about = call.direction, call.kind, call.id, call.method, call.session
            with pytest.raises(ValueError, match="twice"):
                await ask(instance, "on_tool_call", Message(call.raw, *about, decode=refuse))
            assert await ask(instance, "on_tool_call", call) is None

    run(main())


@both
def test_sessions_lines_and_exit_codes(tmp_path: Path, runtime: Runtime, environment: Path) -> None:
    talk = McpTalk()

    async def main() -> tuple[Any, ...]:
        async with running(watcher(tmp_path), runtime, environment) as instance:
            welcome = await ask(instance, "on_session", talk.session)
            refused = await ask(instance, "on_session", McpSession(client="bad"))
            await ask(instance, "on_stderr", talk.session, "oops")
            await ask(instance, "on_exit", talk.session, -9)
            told = await ask(instance, "on_notification", talk.notification("x/y"))
            return welcome, refused, told

    welcome, refused, told = run(main())
    assert welcome is None
    assert refused == Block("go away")
    assert told.params == {"seen": ["oops", -9]}
    assert (told.kind, told.id, "id" in told.body) == ("notification", None, False)


@both
def test_calls_at_once_share_the_state_of_their_session(
    tmp_path: Path, runtime: Runtime, environment: Path
) -> None:
    async def main() -> str:
        talk = McpTalk()
        async with running(watcher(tmp_path), runtime, environment) as instance:
            calls = [ask(instance, "on_tool_call", talk.call("plain")) for _ in range(50)]
            await asyncio.gather(*calls)
            told = talk.response(talk.call("plain"), content=[])
            changed: Message = await ask(instance, "on_tool_result", told)
            return changed.text

    assert run(main()).startswith("50 ")


def test_a_process_forgets_the_session_that_is_over(tmp_path: Path, environment: Path) -> None:
    """Its own number, not the session's id, tells them apart: over HTTP many have none."""

    async def count(instance: Any) -> str:
        talk = McpTalk()
        await ask(instance, "on_tool_call", talk.call("plain"))
        told = talk.response(talk.call("plain"), content=[])
        changed: Message = await ask(instance, "on_tool_result", told)
        return changed.text

    async def main() -> list[str]:
        async with running(watcher(tmp_path), "process", environment) as instance:
            first = await count(instance)
            gc.collect()
            return [first, await count(instance)]

    assert [text[:2] for text in run(main())] == ["1 ", "1 "]


@pytest.mark.parametrize(
    ("tool", "said"), [("break", "LookupError: it broke"), ("wrong", "not str")]
)
def test_failures_are_the_hooks(tmp_path: Path, environment: Path, tool: str, said: str) -> None:
    async def main() -> None:
        talk = McpTalk()
        async with running(watcher(tmp_path), "process", environment) as instance:
            with pytest.raises(HookFailed, match=said):
                await ask(instance, "on_tool_call", talk.call(tool))
            assert await ask(instance, "on_tool_call", talk.call("plain")) is None

    run(main())
