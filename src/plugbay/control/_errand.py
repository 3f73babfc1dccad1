"""What plugins on a worker ask of the supervisor: their durable state, and events for others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

from plugbay.control._messages import KvCall, KvReply, Message, Publish
from plugbay.kernel import Unavailable
from plugbay.sdk import HostUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 10.0
"""Seconds that a call waits for its answer."""


class Errands:
    """Calls to the supervisor, each waiting for its answer."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._waiting: dict[int, asyncio.Future[KvReply]] = {}
        self._last = 0

    def store(self, plugin: str) -> RemoteKeyValue:
        """Return the durable state of a plugin; implements `sdk.KeyValue`."""
        return RemoteKeyValue(self, plugin)

    def publish(self, topic: str, source: str, data: dict[str, Any]) -> bool:
        """Tell the other workers of an event; return whether it went, for it is lost while the
        supervisor is down."""
        try:
            self._send(Publish(topic=topic, source=source, data=data))
        except Unavailable:
            return False
        return True

    async def call(
        self,
        plugin: str,
        call: Literal["get", "set", "swap", "delete", "keys"],
        key: str,
        value: bytes = b"",
        ttl: float | None = None,
        expected: bytes | None = None,
    ) -> KvReply:
        """Ask, and return the answer. Raises `HostUnavailable`."""
        self._last += 1
        id = self._last
        asked = KvCall(
            id=id, plugin=plugin, call=call, key=key, value=value, ttl=ttl, expected=expected
        )
        waiter: asyncio.Future[KvReply] = asyncio.get_running_loop().create_future()
        self._waiting[id] = waiter
        try:
            self._send(asked)
            async with asyncio.timeout(PATIENCE):
                reply = await waiter
        except Unavailable as error:
            raise HostUnavailable(error.detail) from error
        except TimeoutError:
            raise HostUnavailable("the supervisor did not answer in time") from None
        finally:
            del self._waiting[id]
        if reply.error:
            raise HostUnavailable(reply.error)
        return reply

    def answered(self, reply: KvReply) -> None:
        """Hand an answer to the one that waits for it, if it still does."""
        waiter = self._waiting.get(reply.id)
        if waiter is not None and not waiter.done():
            waiter.set_result(reply)

    def give_up(self) -> None:
        """The link broke: no answer will come."""
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(Unavailable("the supervisor went away"))


class RemoteKeyValue:
    """Small durable state of one plugin, kept by the supervisor; implements `sdk.KeyValue`."""

    def __init__(self, errands: Errands, plugin: str) -> None:
        self._errands, self._plugin = errands, plugin

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None."""
        return (await self._errands.call(self._plugin, "get", _checked(key))).value

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        """Store the value durably; it is gone after `ttl` seconds."""
        await self._errands.call(self._plugin, "set", _checked(key), _bounded(value), ttl)

    async def swap(
        self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None
    ) -> bool:
        """Store the value if `expected` is there (None: nothing is); return whether it was."""
        content = _bounded(value)
        reply = await self._errands.call(
            self._plugin, "swap", _checked(key), content, ttl, expected
        )
        return reply.swapped

    async def delete(self, key: str) -> None:
        """Forget the key; it need not be there."""
        await self._errands.call(self._plugin, "delete", _checked(key))

    async def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that start with `prefix`, sorted."""
        return list((await self._errands.call(self._plugin, "keys", prefix)).keys)


MAX_KEY, MAX_VALUE = 256, 65_536


def _bounded(value: bytes) -> bytes:
    if len(value) > MAX_VALUE:
        raise ValueError(f"a value is at most {MAX_VALUE} bytes long, not {len(value)}")
    return value


def _checked(key: str) -> str:
    if not 0 < len(key) <= MAX_KEY:
        raise ValueError(f"a key has 1 to {MAX_KEY} characters, not {len(key)}")
    return key
