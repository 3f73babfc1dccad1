"""A bridge, and what a gateway does with it."""

from __future__ import annotations

import json
import time

from plugbay.mcp import Chain, Current, HttpBridge, Observers
from plugbay.observability import Registry
from plugbay.sdk import BodyTooLarge, Headers, Request, Response

RESULT = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}
SSE, JSON = "text/event-stream", "application/json; charset=utf-8"


class Route:
    """A route of a gateway that has one."""

    def __init__(self, *members, max_message=1 << 20):
        self.chain = Chain(members, Registry(), time.perf_counter)
        self.bridge = HttpBridge("r", Current(self.chain), Observers(), max_message=max_message)

    async def post(self, message, *, method="POST", identity=None, **fields):
        body = message if isinstance(message, bytes) else json.dumps(message).encode()

        async def read(limit):
            if len(body) > limit:
                raise BodyTooLarge(limit)
            return body

        headers = {"accept-encoding": "gzip", **{k.replace("_", "-"): v for k, v in fields.items()}}
        request = Request(
            method, "/mcp", headers=Headers.of(headers), client="192.0.2.9", reader=read
        )
        if identity is not None:
            request.state["identity"] = identity
        self.request = request
        answer = await self.bridge.hooks["on_request"].call(request)
        if answer is not None:
            return answer
        return b"".join([c async for c in self.bridge.request_body(request, chunks(body))])

    async def back(self, *parts, status=200, kind=JSON, **fields):
        headers = {"content-type": kind, **{k.replace("_", "-"): v for k, v in fields.items()}}
        response = Response(status, headers, None)
        self.bridge.on_response(self.request, response)
        body = self.bridge.response_body(self.request, response, chunks(*parts))
        out = [c async for c in body]
        self.bridge.on_complete(self.request, response, None)
        return out


async def chunks(*parts):
    for part in parts:
        yield part
