"""The probes and the metrics page, as an ASGI application.

`/livez` says that the process runs, `/readyz` (alias `/ready`) that it can serve, `/health` both
in detail, `/metrics` is for Prometheus. The callables are the composition root's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plugbay.observability._exposition import negotiate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Check:
    """The verdict on one part; `output` says why it does not pass."""

    ok: bool
    output: str = ""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Verdicts by part; it passes if all parts do. The body follows draft-inadarei-api-health."""

    checks: Mapping[str, Check] = field(default_factory=dict[str, Check])

    @property
    def ok(self) -> bool:
        """Whether every part passes."""
        return all(check.ok for check in self.checks.values())

    def body(self) -> bytes:
        """Return the report as `application/health+json`."""
        checks = {
            name: [{"status": _status(one.ok), **({"output": one.output} if one.output else {})}]
            for name, one in self.checks.items()
        }
        content: dict[str, object] = {"status": _status(self.ok)}
        return json.dumps({**content, **({"checks": checks} if checks else {})}).encode()


def _status(ok: bool) -> str:
    return "pass" if ok else "fail"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content_type: str
    body: bytes


class Probes:
    """The ASGI application.

    `metrics(content_type)` renders the metrics page; `health` and `ready` report.
    """

    def __init__(
        self,
        *,
        metrics: Callable[[str], bytes],
        health: Callable[[], HealthReport],
        ready: Callable[[], HealthReport],
    ) -> None:
        self._metrics = metrics
        self._reports = {
            "/health": health,
            "/healthz": health,
            "/ready": ready,
            "/readyz": ready,
            "/livez": HealthReport,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI 3)."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await _send(send, self._answer(scope), head=scope["method"] == "HEAD")
        else:
            await send({"type": "websocket.close", "code": 1003})

    def _answer(self, scope: Scope) -> _Answer:
        path = scope["path"]
        report = self._reports.get(path)
        if report is None and path != "/metrics":
            return _Answer(404, "text/plain", b"metrics and probes only\n")
        if scope["method"] not in ("GET", "HEAD"):
            return _Answer(405, "text/plain", b"GET or HEAD only\n")
        if report is None:
            kind = negotiate(_header(scope, b"accept"))
            return _Answer(200, kind, self._metrics(kind))
        found = report()
        return _Answer(200 if found.ok else 503, "application/health+json", found.body())


def _header(scope: Scope, wanted: bytes) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == wanted)


async def _send(send: Send, answer: _Answer, *, head: bool) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if answer.status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
