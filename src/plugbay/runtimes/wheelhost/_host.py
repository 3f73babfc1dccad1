"""What the gateway lends to a plugin, as it is in the plugin's own process: `sdk.Host`."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Background
from plugbay.runtimes.wheelhost._log import plugin_log
from plugbay.runtimes.wheelhost._metrics import RemoteMetrics
from plugbay.sdk import HostUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from plugbay.sdk import Manifest, SharedMemory

    Send = Callable[[dict[str, Any]], None]

_GET, _SET, _DELETE, _KEYS, _SWAP = 1, 2, 3, 4, 5
_LONGEST_KEY, _LARGEST = 256, 64 * 1024


class RealClock:
    """The time of this machine."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)


class RemoteEvents:
    """`sdk.Events` by frames."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def publish(self, topic: str, /, **data: object) -> None:
        """Publish to the gateway's bus, under the plugin's name."""
        self._send({"publish": {"topic": topic, "data": json.dumps(data)}})


class RemoteKeyValue:
    """`sdk.KeyValue` by calls of the host."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._last = 0

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None."""
        reply = await self._call(_GET, _checked(key))
        return reply.get("value", b"") if reply.get("found") else None

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        """Store the value durably; it is gone after `ttl` seconds."""
        await self._call(_SET, _checked(key), **_value(value, ttl))

    async def swap(
        self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None
    ) -> bool:
        """Store the value if what is there is `expected`; return whether."""
        told = {**_value(value, ttl), "expects": expected is not None, "expected": expected or b""}
        return bool((await self._call(_SWAP, _checked(key), **told)).get("found"))

    async def delete(self, key: str) -> None:
        """Forget the key; it need not be there."""
        await self._call(_DELETE, _checked(key))

    async def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that start with `prefix`, sorted."""
        reply = await self._call(_KEYS, prefix)
        return list(reply.get("keys", ()))

    def replied(self, id: int, reply: Mapping[str, Any]) -> None:
        """Take the host's answer."""
        waiting = self._waiting.pop(id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    async def _call(self, method: int, key: str, **told: Any) -> Mapping[str, Any]:
        self._last = id = self._last + 1
        waiting: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[id] = waiting
        self._send({"id": id, "host_call": {"method": method, "key": key, **told}})
        try:
            reply = await waiting
        finally:
            self._waiting.pop(id, None)
        failure = reply.get("failure")
        if failure is not None:
            kind = ValueError if failure.get("kind") == "ValueError" else HostUnavailable
            raise kind(failure.get("detail", ""))
        return reply


class GrantedSecrets:
    """`sdk.Secrets`: those that came with the configuration."""

    def __init__(self, names: tuple[str, ...], values: Mapping[str, str]) -> None:
        self._names, self._values = frozenset(names), values

    def get(self, name: str) -> str:
        """Return the secret. Raises `PermissionError` if undeclared, `KeyError` if unset."""
        if name not in self._names:
            raise PermissionError(f"the manifest's permissions.secrets does not name {name!r}")
        try:
            return self._values[name]
        except KeyError:
            raise KeyError(f"no secret {name!r}: the operator has not set it") from None


class RemoteHost:
    """One generation's host, in its process."""

    def __init__(self, manifest: Manifest, configuration: Mapping[str, Any], send: Send) -> None:
        self.plugin, self.version = manifest.id, manifest.version
        self.generation: int = configuration.get("generation", 0)
        self.clock = RealClock()
        self.log = plugin_log(manifest.id)
        self.metrics, self.events = RemoteMetrics(send), RemoteEvents(send)
        self.kv = RemoteKeyValue(send)
        pairs = configuration.get("secrets", ())
        values = {pair.get("key", ""): pair.get("value", "") for pair in pairs}
        self.secrets = GrantedSecrets(manifest.permissions.secrets, values)
        self._data_dir: str = configuration.get("data_dir", "")
        self._background = Background()

    def now(self) -> float:
        """Return `clock.monotonic()`."""
        return self.clock.monotonic()

    @property
    def data_dir(self) -> Path:
        """The plugin's own directory, which the gateway has made."""
        if not self._data_dir:
            raise HostUnavailable(f"{self.plugin} was given no directory of its own")
        return Path(self._data_dir)

    def shared(self, name: str, size: int, *, each: int = 0) -> SharedMemory:
        """Raise `HostUnavailable`: the workers' memory is not this process's."""
        raise HostUnavailable(
            f"{self.plugin} runs in a process of its own, which shares no memory with the"
            f" workers ({name}, {size} + {each} B): use host.kv"
        )

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run a background task until it ends or the generation does. A failure is logged."""
        return self._background.spawn(work, self._failed, name=f"{self.plugin}:{name}")

    async def close(self) -> None:
        """Cancel the background tasks and wait until they have ended, for a moment."""
        await self._background.close()

    def _failed(self, task: asyncio.Task[None], error: BaseException) -> None:
        self.log.error("background task %s failed", task.get_name(), exc_info=error)


def _checked(key: str) -> str:
    if not key or len(key) > _LONGEST_KEY:
        raise ValueError(f"a key has 1 to {_LONGEST_KEY} characters, not {len(key)}")
    return key


def _value(value: bytes, ttl: float | None) -> dict[str, Any]:
    if len(value) > _LARGEST:
        raise ValueError(f"a value has at most {_LARGEST} bytes, not {len(value)}")
    if ttl is not None and ttl <= 0:
        raise ValueError("ttl must be more than 0")
    return {"value": bytes(value), "ttl": ttl or 0.0}
