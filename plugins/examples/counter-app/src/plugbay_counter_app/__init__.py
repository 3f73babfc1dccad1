"""An application that goes on counting when it is swapped."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from plugbay.sdk import AsgiApp, Plugin, Stateful

Message = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Config:
    """`step` is how much a visit counts."""

    step: int = 1


class CounterApp(Plugin[Config], AsgiApp, Stateful):
    """Answers with the number of visits; each worker has its own count."""

    count = 0

    async def app(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve one request (ASGI 3)."""
        if scope["type"] != "http":
            return
        self.count += self.config.step
        content = {"count": self.count, "version": self.host.version}
        body = json.dumps(content).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def snapshot(self) -> bytes:
        return str(self.count).encode()

    def restore(self, state: bytes) -> None:
        self.count = int(state)
