"""Plugins of a few hooks, and a conversation whose two sides are the test."""

from __future__ import annotations

import asyncio
import json
import time

from plugbay.kernel import Generation, Hook
from plugbay.mcp import Chain, Conversation, Current, Member, Observers, Sent
from plugbay.observability import Registry
from plugbay.sdk import API, Manifest, Mcp, McpSession, Order


class Instance:
    """A plugin's instance with the hooks that a test gives."""

    def __init__(self, hooks):
        self.hooks = {
            name: Hook(call, asyncio.iscoroutinefunction(call)) for name, call in hooks.items()
        }


async def unloadable(_):
    raise RuntimeError("it is built by hand")


def member(id, mode="guard", *, priority=500, closed=None, targets=(), ms=250, number=1, **hooks):
    manifest = Manifest(
        id=id,
        version="1.0.0",
        api=API,
        runtime="python",
        entry="x:Y",
        provides=("mcp-filter",),
        mcp=Mcp(mode=mode, hook_ms=ms, targets=targets),
    )
    generation = Generation(id, number, "", 1, manifest, unloadable)
    generation.instance = Instance(hooks)
    closed = mode in ("guard", "check") if closed is None else closed
    return Member(id=id, generation=generation, order=Order(priority=priority), closed=closed)


class Talk:
    """A conversation whose two sides are the test."""

    def __init__(self, *members, strict=True):
        self.chain = Chain(members, Registry(), time.perf_counter)
        self.current = Current(self.chain)
        self.observers = Observers()
        self.session = McpSession(id="s", server="test", identity="ann")
        self.conversation = Conversation(self.current, self.session, self.observers, strict=strict)

    async def pass_(self, direction, message):
        raw = message if isinstance(message, bytes) else json.dumps(message).encode()
        sent = self.conversation.receive(direction, raw)
        return sent if isinstance(sent, Sent) else await sent.run()

    async def up(self, method, id=None, **params):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if id is not None:
            message["id"] = id
        return await self.pass_("to-server", message)

    async def down(self, id, **result):
        return await self.pass_("to-client", {"jsonrpc": "2.0", "id": id, "result": result})

    async def call(self, name="echo", id=1, **arguments):
        return await self.up("tools/call", id, name=name, arguments=arguments)


def run(work):
    return asyncio.run(work())
