"""Active health checks: each target is asked by GET, each in its own time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import httptools

from plugbay.gateway.upstream._targets import split_address

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from plugbay.gateway._spec import HealthCheck
    from plugbay.gateway.upstream._targets import TargetState
    from plugbay.kernel import Randomness

_JITTER = 0.2
_CHUNK = 16_384
_LONGEST_HEAD = 65_536


class HealthChecks:
    """Sets `healthy` on the targets of one upstream and reports each change.

    A target starts healthy. `unhealthy_after` failed checks in a row take it out and
    `healthy_after` good ones bring it back; a check is good if the status is in 200-399 and the
    answer's head is complete within `timeout`. `on_change(target, reason)` follows a change.
    Intervals are jittered by a fifth, so that the workers of many gateways do not beat as one.
    """

    def __init__(
        self,
        spec: HealthCheck,
        targets: Sequence[TargetState],
        randomness: Randomness,
        on_change: Callable[[TargetState, str], None],
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
    ) -> None:
        self._spec = spec
        self._targets = tuple(targets)
        self._random = randomness.random
        self._on_change = on_change
        self._tls = tls
        self._server_name = server_name
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start one task for each target, in the running loop."""
        self._tasks = [
            asyncio.create_task(self._watch(target), name=f"health of {target.address}")
            for target in self._targets
        ]

    async def stop(self) -> None:
        """End the tasks; the targets keep what was last known of them."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, target: TargetState) -> None:
        streak = 0
        # The first check comes at a random moment of the first interval.
        await asyncio.sleep(self._spec.interval * self._random())
        while True:
            fault = await self.check(target)
            if (not fault) == target.healthy:
                streak = 0
            else:
                streak += 1
                needed = self._spec.unhealthy_after if fault else self._spec.healthy_after
                if streak >= needed:
                    streak = 0
                    target.healthy = not fault
                    self._on_change(target, fault or "healthy again")
            await asyncio.sleep(self._spec.interval * (1 + _JITTER * (2 * self._random() - 1)))

    async def check(self, target: TargetState) -> str:
        """Ask `target` once; return what is wrong, empty if nothing is."""
        try:
            async with asyncio.timeout(self._spec.timeout):
                status = await self._ask(target)
        except TimeoutError:
            return f"no answer within {self._spec.timeout:g} s"
        except (OSError, EOFError, httptools.HttpParserError) as error:
            return f"{type(error).__name__}: {error}"
        return "" if 200 <= status < 400 else f"status {status}"

    async def _ask(self, target: TargetState) -> int:
        host, port = split_address(target.address, 443 if self._tls else 80)
        name = (self._server_name or host) if self._tls else None
        reader, writer = await asyncio.open_connection(
            host, port, ssl=self._tls, server_hostname=name
        )
        try:
            writer.write(
                b"GET %b HTTP/1.1\r\nhost: %b\r\nuser-agent: plugbay-health\r\n"
                b"accept: */*\r\nconnection: close\r\n\r\n"
                % (self._spec.path.encode("ascii"), target.address.encode("ascii"))
            )
            return await _read_status(reader)
        finally:
            # An abort: the peer's last words no longer matter, and a dead peer has none.
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class _Answer:
    """Callbacks of the parser: the status, once the head is complete."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.status = 0

    def on_headers_complete(self) -> None:
        status = int(self.parser.get_status_code())
        if status >= 200:
            self.status = self.status or status


async def _read_status(reader: asyncio.StreamReader) -> int:
    """Read a response's head, past informational ones; raises `EOFError` if it is cut short."""
    answer = _Answer()
    size = 0
    while not answer.status:
        data = await reader.read(_CHUNK)
        size += len(data)
        if not data:
            raise EOFError("the connection was closed before the answer")
        if size > _LONGEST_HEAD:
            raise EOFError(f"the answer's head is longer than {_LONGEST_HEAD} bytes")
        answer.parser.feed_data(data)
    return answer.status
