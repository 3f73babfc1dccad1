"""What a plugin in a process asks its host for: state, events, metrics; over its own stream."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, cast

from plugbay.runtimes.process._pb import hook_pb2 as pb
from plugbay.sdk import HostUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugbay.sdk import Host

KINDS = 100
"""Names of metrics that a plugin may have."""
_GET, _SET, _DELETE, _KEYS, _SWAP = 1, 2, 3, 4, 5


class HostServices:
    """Does for a plugin what `sdk.Host` offers. `frame` makes a frame to answer with."""

    def __init__(self, host: Host, frame: Callable[[int], pb.Frame]) -> None:
        self._host, self._frame = host, frame
        self._metrics: set[str] = set()

    def take(self, what: str, frame: pb.Frame) -> None:
        """Take a frame that belongs to no call. The plugin border: what is wrong is logged."""
        try:
            if what == "publish":
                self._publish(frame.publish)
            elif what == "measurement":
                self._measure(frame.measurement)
            elif what == "host_call":
                work = self._answer(frame.id, frame.host_call)
                self._host.spawn(work, name="host call")
        except (ValueError, TypeError) as error:
            self._host.log.warning("the plugin has sent a wrong %s: %s", what, error)

    def _publish(self, event: pb.Event) -> None:
        data = cast("object", json.loads(event.data or "{}"))
        if not isinstance(data, dict):
            raise ValueError("the data of an event must be a JSON object")
        named = {str(key): value for key, value in cast("dict[str, object]", data).items()}
        self._host.events.publish(event.topic, **named)

    def _measure(self, m: pb.Measurement) -> None:
        if m.name not in self._metrics:
            if len(self._metrics) >= KINDS:
                raise ValueError(f"it has more than {KINDS} metrics")
            self._metrics.add(m.name)
        metrics, labels = self._host.metrics, dict(m.labels)
        names = tuple(sorted(labels))
        if m.kind == pb.Measurement.COUNTER:
            metrics.counter(m.name, m.help, names).inc(m.value, **labels)
        elif m.kind == pb.Measurement.GAUGE:
            metrics.gauge(m.name, m.help, names).set(m.value, **labels)
        else:
            buckets = tuple(m.buckets)
            metrics.histogram(m.name, m.help, names, buckets).observe(m.value, **labels)

    async def _answer(self, id: int, call: pb.HostCall) -> None:
        reply = pb.HostReply()
        try:
            await self._do(call, reply)
        except (ValueError, HostUnavailable) as error:
            reply.failure.kind, reply.failure.detail = type(error).__name__, str(error)
        try:
            self._frame(id).host_reply.CopyFrom(reply)
        except Exception as error:  # noqa: BLE001 - the plugin has gone: nobody waits for it
            self._host.log.log(logging.DEBUG, "a host call was not answered: %s", error)

    async def _do(self, call: pb.HostCall, reply: pb.HostReply) -> None:
        kv = self._host.kv
        if call.method == _GET:
            value = await kv.get(call.key)
            reply.found, reply.value = value is not None, value or b""
        elif call.method == _SET:
            await kv.set(call.key, call.value, ttl=call.ttl or None)
        elif call.method == _DELETE:
            await kv.delete(call.key)
        elif call.method == _SWAP:
            expected = call.expected if call.expects else None
            ttl = call.ttl or None
            reply.found = await kv.swap(call.key, expected, call.value, ttl=ttl)
        elif call.method == _KEYS:
            reply.keys.extend(await kv.keys(call.key))
        else:
            raise ValueError(f"there is no host call {call.method}")
