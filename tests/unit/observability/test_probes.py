"""The probes and the metrics page, by uvicorn over a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest
import uvicorn

from plugbay.observability import (
    OPENMETRICS,
    PROMETHEUS,
    Check,
    HealthReport,
    Probes,
    Registry,
    render_prometheus,
)
from unit.observability.exposition import parse

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def served(probes: Probes) -> Iterator[str]:
    """Serve in a thread until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(probes, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def get(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request, whatever its status."""
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 # loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 # loopback
            return response.status, dict(response.headers), response.read()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_every_page_answers() -> None:
    registry = Registry()
    registry.counter("jobs_total", "Jobs.").value().inc(3)
    state = {"ready": Check(ok=False, output="no worker is ready")}
    probes = Probes(
        metrics=lambda kind: render_prometheus(registry.collect(), content_type=kind),
        health=lambda: HealthReport({"database": Check(ok=True)}),
        ready=lambda: HealthReport(state),
    )
    with served(probes) as url:
        status, headers, body = get(f"{url}/metrics")
        assert (status, headers["content-type"]) == (200, PROMETHEUS)
        assert headers["cache-control"] == "no-store"
        assert list(parse(body.decode()).values()) == [3]
        _, headers, body = get(f"{url}/metrics", Accept="application/openmetrics-text")
        assert headers["content-type"] == OPENMETRICS
        assert body.endswith(b"# EOF\n")
        assert get(f"{url}/livez")[0] == 200
        assert json.loads(get(f"{url}/livez")[2]) == {"status": "pass"}
        for path in ("/health", "/healthz"):
            content = json.loads(get(url + path)[2])
            assert content == {"status": "pass", "checks": {"database": [{"status": "pass"}]}}
        for path in ("/ready", "/readyz"):
            status, headers, body = get(url + path)
            assert (status, headers["content-type"]) == (503, "application/health+json")
            failed = {"status": "fail", "output": "no worker is ready"}
            assert json.loads(body) == {"status": "fail", "checks": {"ready": [failed]}}
        state.clear()
        assert get(f"{url}/ready")[0] == 200
        status, headers, body = get(f"{url}/health", "HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) > 0
        assert get(f"{url}/other")[0] == 404
        status, headers, _ = get(f"{url}/health", "POST")
        assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_a_websocket_is_refused() -> None:
    sent: list[object] = []

    async def receive() -> dict[str, str]:
        raise AssertionError("nothing to receive")

    async def send(message: object) -> None:
        sent.append(message)

    probes = Probes(metrics=lambda _: b"", health=HealthReport, ready=HealthReport)
    asyncio.run(probes({"type": "websocket", "path": "/metrics"}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1003}]


@pytest.mark.parametrize("ok", [True, False])
def test_a_report_passes_if_all_parts_do(ok: bool) -> None:
    assert HealthReport({"a": Check(ok=True), "b": Check(ok=ok)}).ok is ok
