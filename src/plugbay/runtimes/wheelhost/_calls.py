"""The calls of hooks that go on in this process.

A hook that is a plain function is called at once, where its frame is read; only a coroutine costs
a task. What a hook raises is a `Failure` in the answer.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from plugbay.runtimes.wheelhost._bodies import Pipe
from plugbay.runtimes.wheelhost._exchange import (
    request_changes,
    request_of,
    respond_with,
    response_changes,
    response_of,
    timing_of,
)
from plugbay.runtimes.wheelhost._log import request_id
from plugbay.runtimes.wheelhost._mcp import Sessions, answer_of, message_of
from plugbay.runtimes.wheelhost._memory import Memory
from plugbay.sdk import BodyTooLarge, Event, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from plugbay.kernel import Hook
    from plugbay.runtimes.wheelhost._host import RemoteHost

    Send = Callable[[dict[str, Any]], None]
    Told = Mapping[str, Any]
    Finish = Callable[[Any], dict[str, Any]]

_QUEUED = 1024
"""Events that wait for the handler; more are dropped."""


class Calls:
    """Calls the hooks as the gateway asks for it, and answers by `send`."""

    def __init__(
        self,
        hooks: Mapping[str, Hook],
        host: RemoteHost,
        send: Send,
        failed: Callable[[BaseException], dict[str, Any]],
    ) -> None:
        self._hooks, self._host, self._send, self._failed = hooks, host, send, failed
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._inboxes: dict[int, Callable[[str, Told], None]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._memory, self._sessions = Memory(), Sessions()
        self._events: asyncio.Queue[Event] = asyncio.Queue(_QUEUED)
        self._hearing: asyncio.Task[None] | None = None
        self._begin: dict[str, Callable[[int, Told], None]] = {
            "request": self._on_request,
            "response": self._on_response,
            "open_body": self._on_body,
            "complete": self._on_complete,
            "event": self._on_event,
            "cancel": self._on_cancel,
            "host_reply": host.kv.replied,
            "forget": self._on_forget,
            "mcp": self._on_mcp,
        }

    def take(self, frame: Told) -> None:
        """Take one frame of the gateway."""
        id = frame.get("id", 0)
        for what, value in frame.items():
            if what == "id":
                continue
            begin = self._begin.get(what)
            if begin is not None:
                begin(id, value)
            elif (inbox := self._inboxes.get(id)) is not None:
                inbox(what, value)

    async def close(self) -> None:
        """Break off whatever goes on."""
        tasks = [*self._tasks.values(), *self._telling]
        tasks += [self._hearing] if self._hearing is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- filters

    def _on_request(self, id: int, head: Told) -> None:
        async def read(limit: int) -> bytes:
            return await self._read(id, limit)

        request = self._request(head, read)

        def finish(result: Any) -> dict[str, Any]:
            if result is None:
                return {"proceed": self._kept(request, head, request_changes(request, head))}
            return {"respond": self._kept(request, head, respond_with(_checked(result)))}

        self._call(id, "on_request", (request,), finish, request.id)

    def _on_response(self, id: int, told: Told) -> None:
        head = told.get("request", {})
        request, response = self._request(head), response_of(told)

        def finish(result: Any) -> dict[str, Any]:
            if result is None or result is response:
                return {"proceed": self._kept(request, head, response_changes(response, told))}
            return {"respond": self._kept(request, head, respond_with(_checked(result)))}

        self._call(id, "on_response", (request, response), finish, request.id)

    def _call(
        self, id: int, name: str, arguments: tuple[Any, ...], finish: Finish, request: str
    ) -> None:
        hook = self._hooks[name]
        token = request_id.set(request)
        try:
            if hook.coroutine:
                self._spawn(id, self._wait(id, hook.call(*arguments), finish))
                return
            result = hook.call(*arguments)
            self._answer(id, finish(result), result)
        except Exception as error:  # noqa: BLE001 - the plugin border: it becomes a Failure
            self._fail(id, error)
        finally:
            request_id.reset(token)

    async def _wait(self, id: int, hook: Coroutine[Any, Any, Any], finish: Finish) -> None:
        result = await hook
        self._answer(id, finish(result), result)

    def _answer(self, id: int, answer: dict[str, Any], result: Any) -> None:
        self._send({"id": id, **answer})
        if answer.get("respond", {}).get("body_follows"):
            pipe = self._pipe(id)
            self._tasks.pop(id, None)
            self._spawn(id, pipe.send(result.body))

    # --- messages of MCP

    def _on_mcp(self, id: int, told: Told) -> None:
        session = self._sessions.session_of(told.get("session", {}))
        head = told.get("message")
        message = None if head is None else message_of(head, session)
        name = told.get("hook", "")
        arguments: list[Any] = [message or session]
        if name == "on_stderr":
            arguments.append(told.get("line", ""))
        elif name == "on_exit":
            arguments.append(told.get("code", 0))

        def finish(result: Any) -> dict[str, Any]:
            return {"mcp_answer": answer_of(result, message)}

        self._call(id, name, tuple(arguments), finish, "")

    def _on_forget(self, _: int, told: Told) -> None:
        if "session" in told:
            self._sessions.forget(told["session"])
        else:
            self._memory.forget(told.get("state", 0))

    # --- bodies

    def _on_body(self, id: int, told: Told) -> None:
        head = told.get("response")
        pipe = self._pipe(id)
        request = self._request(told.get("request", {}))
        arguments = (request,) if head is None else (request, response_of(head))
        name = "request_body" if head is None else "response_body"
        token = request_id.set(request.id)
        try:
            chunks = self._hooks[name].call(*arguments, pipe.incoming())
            self._spawn(id, pipe.send(chunks))
        except Exception as error:  # noqa: BLE001 - the plugin border: it becomes a Failure
            self._fail(id, error)
        finally:
            request_id.reset(token)

    def _pipe(self, id: int) -> Pipe:
        pipe = Pipe(id, self._send)
        self._inboxes[id] = pipe.take
        return pipe

    async def _read(self, id: int, limit: int) -> bytes:
        """Have the gateway buffer the request's body. Raises `BodyTooLarge`."""
        waiting: asyncio.Future[Told] = asyncio.get_running_loop().create_future()

        def told(what: str, body: Told) -> None:
            if what == "body" and not waiting.done():
                waiting.set_result(body)

        self._inboxes[id] = told
        self._send({"id": id, "read_body": {"limit": limit}})
        body = await waiting
        if body.get("too_large"):
            raise BodyTooLarge(limit)
        if body.get("broken"):
            raise ConnectionError("the client went away before its request was complete")
        data: bytes = body.get("data", b"")
        return data

    # --- what is only told

    def _on_complete(self, _: int, told: Told) -> None:
        request = self._request(told.get("request", {}))
        head = told.get("response")
        response = None if head is None else response_of(head)
        self._tell("on_complete", request.id, request, response, timing_of(told))

    def _on_event(self, _: int, told: Told) -> None:
        data = json.loads(told.get("data") or "{}")
        event = Event(told.get("topic", ""), told.get("source", ""), told.get("time", 0.0), data)
        if self._hearing is None:
            self._hearing = asyncio.get_running_loop().create_task(self._hear(), name="events")
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            self._host.log.warning("an event was dropped: on_event is behind (%s)", event.topic)

    async def _hear(self) -> None:
        hook = self._hooks["on_event"]
        while True:
            event = await self._events.get()
            try:
                done = hook.call(event)
                if hook.coroutine:
                    await done
            except Exception as error:
                self._host.log.error("on_event(%s) failed", event.topic, exc_info=error)

    def _tell(self, name: str, request: str, *arguments: Any) -> None:
        hook = self._hooks[name]
        token = request_id.set(request)
        try:
            done = hook.call(*arguments)
            if hook.coroutine:
                task = asyncio.get_running_loop().create_task(self._told(name, done))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)
        except Exception as error:
            self._host.log.error("%s failed", name, exc_info=error)
        finally:
            request_id.reset(token)

    async def _told(self, name: str, done: Coroutine[Any, Any, Any]) -> None:
        try:
            await done
        except Exception as error:
            self._host.log.error("%s failed", name, exc_info=error)

    # --- tasks and what requests share

    def _spawn(self, id: int, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[id] = task
        task.add_done_callback(lambda done: self._ended(id, done))

    def _ended(self, id: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(id) is task:
            del self._tasks[id]
            self._inboxes.pop(id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(id, error)

    def _fail(self, id: int, error: BaseException) -> None:
        self._inboxes.pop(id, None)
        self._send({"id": id, "failure": self._failed(error)})

    def _on_cancel(self, id: int, _: Told) -> None:
        task = self._tasks.get(id)
        if task is not None:
            task.cancel()
        self._inboxes.pop(id, None)

    def _request(self, head: Told, reader: Any = None) -> Request:
        request = request_of(head, reader)
        self._memory.recall(request, head.get("state", 0))
        return request

    def _kept(self, request: Request, head: Told, told: dict[str, Any]) -> dict[str, Any]:
        state = self._memory.keep(request, head.get("state", 0))
        return {**told, "state": state} if state else told


def _checked(result: object) -> Response:
    if not isinstance(result, Response):
        raise TypeError(f"a hook returns a Response or None, not {type(result).__name__}")
    return result
