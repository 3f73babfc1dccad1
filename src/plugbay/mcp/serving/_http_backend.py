"""An MCP server over Streamable HTTP, as a backend: in both eras of the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from plugbay.kernel import Backoff, PlugbayError
from plugbay.mcp._answers import SERVER_DOWN, error_answer
from plugbay.mcp._codec import Malformed, decode, encode, read_envelope
from plugbay.mcp._framing import MAX_MESSAGE
from plugbay.mcp._json import as_array, as_object, params_of, result_of
from plugbay.mcp._methods import TARGETS
from plugbay.mcp._replay import Replay, is_replayed
from plugbay.mcp.http._header_values import header_value
from plugbay.mcp.http._param_headers import ParamHeaders
from plugbay.mcp.http._sse import EventSplitter, EventTooLong, event_data
from plugbay.mcp.serving._checks import MODERN, VERSION
from plugbay.mcp.serving._http_client import HttpClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plugbay.kernel import Randomness
    from plugbay.mcp._codec import Envelope, Id
    from plugbay.mcp._owner import Owner
    from plugbay.mcp.serving._http_client import HttpResponse

_log = logging.getLogger("plugbay.mcp")
SESSION = "mcp-session-id"
_TROUBLE = (OSError, TimeoutError, EventTooLong, PlugbayError)


class HttpBackend:
    """`Backend` on a URL. While the server cannot be reached it is asked again and again."""

    def __init__(
        self,
        url: str,
        headers: Callable[[], Mapping[str, str]],
        owner: Owner,
        randomness: Randomness,
        *,
        max_message: int = MAX_MESSAGE,
    ) -> None:
        self._client = HttpClient(url)
        self._headers, self._owner, self._limit = headers, owner, max_message
        self._backoff = Backoff(randomness, first=0.5, ceiling=15.0)
        self._params = ParamHeaders()
        self._replay = Replay()
        self._session = self._version = ""
        self._requests: dict[Id, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        self._delay = 0.0

    # --- as a backend

    @property
    def retry_after(self) -> float:
        """Seconds until it is tried again, at most."""
        return self._delay

    @property
    def over(self) -> bool:
        """Whether it has ended for good: it never has."""
        return False

    async def start(self) -> None:
        """Nothing is to be started: it is somewhere else."""

    def persist(self) -> None:
        """It is asked again and again by itself."""

    async def send(self, raw: bytes) -> None:
        """Send one message on."""
        self._replay.sent(raw)
        envelope = read_envelope(raw)
        if envelope.kind == "request":
            task = asyncio.create_task(self._ask(raw, envelope))
            self._requests[envelope.id] = task
            self._keep(task)
        elif envelope.method == "notifications/cancelled" and self._version >= MODERN:
            # Closing the response is how a client of this era cancels.
            task_of = self._requests.get(params_of(raw).get("requestId"))
            if task_of is not None:
                task_of.cancel()
        else:
            await self._tell(raw, envelope)

    async def stop(self, grace: float = 2.0) -> int:
        """End the session, and everything that waits."""
        for task in (*self._tasks, self._listener, self._returning):
            if task is not None:
                task.cancel()
        if self._session:
            with contextlib.suppress(*_TROUBLE):
                async with asyncio.timeout(grace):
                    (await self._client.request("DELETE", self._fields())).close()
        self._client.close()
        return 0

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- requests

    async def _ask(self, raw: bytes, envelope: Envelope) -> None:
        try:
            response = await self._post(raw, envelope)
            if response.status == 404 and self._session:
                response.close()
                await self._renew()
                response = await self._post(raw, envelope)
            try:
                await self._read(response, envelope)
            finally:
                response.close()
        except _TROUBLE as error:
            await self._failed(error)
        finally:
            self._requests.pop(envelope.id, None)

    async def _tell(self, raw: bytes, envelope: Envelope) -> None:
        try:
            (await self._post(raw, envelope)).close()
        except _TROUBLE as error:
            await self._failed(error)
            return
        if envelope.method == "notifications/initialized" and self._listener is None:
            self._listener = asyncio.create_task(self._listen())

    async def _post(self, raw: bytes, envelope: Envelope) -> HttpResponse:
        fields = {**self._fields(), **self._mirrored(raw, envelope)}
        return await self._client.request("POST", fields, raw)

    async def _read(self, response: HttpResponse, envelope: Envelope) -> None:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if envelope.method == "initialize" and response.status == 200:
            self._session = response.headers.get(SESSION, "")
        if kind == "text/event-stream":
            await self._events(response, envelope)
            return
        body = await response.read(self._limit)
        try:
            answer = read_envelope(body)
        except Malformed:
            text = f"the MCP server has answered with the status {response.status}"
            await self._hear(error_answer(envelope.id, SERVER_DOWN, text), envelope)
            return
        if answer.id is None:  # an error of the transport's, about this request
            body = encode({**decode(body), "id": envelope.id})
        await self._hear(body, envelope)

    async def _events(self, response: HttpResponse, envelope: Envelope | None) -> None:
        splitter = EventSplitter(self._limit)
        async for chunk in response.chunks():
            for event in splitter.feed(chunk):
                if data := event_data(event):
                    await self._hear(data, envelope)

    async def _hear(self, raw: bytes, envelope: Envelope | None) -> None:
        if is_replayed(raw):
            return
        if envelope is not None and envelope.method == "initialize" and b"result" in raw:
            self._version = str(result_of(raw).get("protocolVersion", ""))
        if envelope is not None and envelope.method == "tools/list":
            self._params.learn(map(as_object, as_array(result_of(raw).get("tools"))))
        await self._owner.hear([raw])

    async def _listen(self) -> None:
        """Hear what belongs to no request, as long as the server offers it."""
        for attempt in range(1000):
            try:
                response = await self._client.request(
                    "GET", {**self._fields(), "accept": "text/event-stream"}
                )
                try:
                    if response.status != 200:
                        return
                    await self._events(response, None)
                finally:
                    response.close()
            except _TROUBLE as error:
                _log.info("the stream of a member has ended: %s", error)
            await asyncio.sleep(self._backoff.delay(min(attempt, 4)))

    # --- header fields

    def _fields(self) -> dict[str, str]:
        fields = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **self._headers(),
        }
        if self._session:
            fields[SESSION] = self._session
        if self._version:
            fields["mcp-protocol-version"] = self._version
        return fields

    def _mirrored(self, raw: bytes, envelope: Envelope) -> dict[str, str]:
        """Return the fields that repeat what a request of the stateless era says."""
        if envelope.kind != "request" or b"protocolVersion" not in raw:
            return {}
        params = params_of(raw)
        version = str(as_object(params.get("_meta")).get(VERSION, ""))
        if version < MODERN:
            return {}
        self._version = version
        fields = {"mcp-protocol-version": version, "mcp-method": envelope.method}
        name = params.get(TARGETS.get(envelope.method, ""))
        if name is not None:
            fields["mcp-name"] = header_value(str(name))
        if envelope.method == "tools/call":
            fields |= self._params.of(str(name), as_object(params.get("arguments")))
        return fields

    # --- trouble

    async def _failed(self, error: Exception) -> None:
        _log.warning("a member over HTTP cannot be reached: %s", error)
        if self._returning is None or self._returning.done():
            self._returning = asyncio.create_task(self._return())
        await self._owner.refused()

    async def _return(self) -> None:
        """Try until it is there again, and bring it to where it was."""
        attempt = 0
        while True:
            self._delay = self._backoff.delay(attempt)
            attempt += 1
            await asyncio.sleep(self._delay)
            try:
                (await self._client.request("OPTIONS", self._fields())).close()
                await self._renew()
            except _TROUBLE:
                continue
            self._delay = 0.0
            await self._owner.back()
            return

    async def _renew(self) -> None:
        """Begin a session anew: the server has forgotten the one there was."""
        self._session = ""
        for raw in (self._replay.first, *self._replay.others):
            if raw:
                response = await self._post(raw, read_envelope(raw))
                if raw is self._replay.first:
                    self._session = response.headers.get(SESSION, "")
                await response.read(self._limit)
                response.close()
