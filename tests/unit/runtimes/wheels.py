"""Unpacked wheels for tests, written as an installer would unpack them."""

from __future__ import annotations

import asyncio
import textwrap
import time
from typing import TYPE_CHECKING, Any

from plugbay.kernel import LoadRequest
from plugbay.sdk import Limits, Manifest
from plugbay.sdk.testing import FakeHost

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path

HELLO = """
from dataclasses import dataclass
from plugbay.sdk import Plugin, Request, RequestFilter, Response


@dataclass(frozen=True, slots=True)
class Config:
    greeting: str = "hello"


class Hello(Plugin[Config], RequestFilter):
    def on_request(self, request: Request) -> Response | None:
        return Response.text(self.config.greeting)
"""
METADATA = "Metadata-Version: 2.4\nName: plugbay-hello\nVersion: 1.0.0\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_payload(
    folder: Path,
    source: str = HELLO,
    *,
    files: Mapping[str, str | bytes] | None = None,
    metadata: str = METADATA,
    wheel: str = WHEEL,
) -> Path:
    """Write `plugbay_hello/__init__.py` and `files`, with a dist-info, and return the folder."""
    info = "plugbay_hello-1.0.0.dist-info"
    tree: dict[str, str | bytes] = {
        "plugbay_hello/__init__.py": source,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": wheel,
        **(files or {}),
    }
    for name, content in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content if isinstance(content, bytes) else textwrap.dedent(content).encode()
        path.write_bytes(raw)
    return folder


def manifest(**changes: Any) -> Manifest:
    facts: dict[str, Any] = {
        "id": "hello",
        "version": "1.0.0",
        "api": 1,
        "runtime": "python",
        "entry": "plugbay_hello:Hello",
        "provides": ("request-filter",),
        "limits": Limits(start_ms=60_000),
    }
    return Manifest(**{**facts, **changes})


def load_request(
    payload: Path,
    *,
    generation: int = 1,
    config: Mapping[str, Any] | None = None,
    host: FakeHost | None = None,
    **changes: Any,
) -> LoadRequest:
    said = manifest(**changes)
    return LoadRequest(
        manifest=said,
        payload=payload,
        digest="0" * 64,
        config=config or {},
        host=host or FakeHost(said.id, said.version, generation),
        generation=generation,
    )


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(scenario)


async def until(true: Callable[[], object], seconds: float = 100) -> None:
    """Wait until something is true that tells nobody when it becomes so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not become true in time"
        await asyncio.sleep(0.002)
