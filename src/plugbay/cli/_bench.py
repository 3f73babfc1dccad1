"""`plugbay bench`: load on a route, with every response checked; to watch a swap by."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import httptools
import typer

from plugbay.cli._client import Unreachable
from plugbay.cli._costs import costs_since, read_costs, settled_costs
from plugbay.cli._options import Output
from plugbay.cli._output import Format, print_facts
from plugbay.kernel import Invalid

CONNECT = "connect: "
PATIENCE = 10.0
"""Seconds for a whole answer; a later one counts as lost."""


@dataclass(slots=True)
class Tally:
    """What the clients saw."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    failures: Counter[str] = field(default_factory=Counter[str])
    seconds: list[float] = field(default_factory=list[float])
    body_bytes: int = 0

    def quantile(self, share: float) -> float:
        """Return a latency in milliseconds; `seconds` must be sorted."""
        index = min(len(self.seconds) - 1, int(share * len(self.seconds)))
        return self.seconds[index] * 1000 if self.seconds else 0.0


def bench(
    url: Annotated[str, typer.Argument(help="What to ask for, e.g. http://127.0.0.1:8080/json")],
    connections: Annotated[
        int, typer.Option("-c", "--connections", min=1, max=1000, help="Kept connections.")
    ] = 16,
    seconds: Annotated[
        float, typer.Option("-d", "--seconds", min=0.1, max=600, help="For how long.")
    ] = 10.0,
    metrics: Annotated[
        str,
        typer.Option(help="The metrics page: then it says what each plugin cost.", metavar="URL"),
    ] = "",
    output: Output = Format.TABLE,
) -> None:
    """Ask for a URL on kept connections; exit with 1 if any answer was not 2xx, or was lost."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise Invalid(f"{url!r}: expected http://host:port/path")
    before = read_costs(metrics) if metrics else {}
    tally = asyncio.run(_run(parts.hostname, parts.port or 80, _head(parts), connections, seconds))
    tally.seconds.sort()
    bad = sum(count for status, count in tally.statuses.items() if not 200 <= status < 300)
    if not tally.seconds and all(kind.startswith(CONNECT) for kind in tally.failures):
        raise Unreachable(f"nothing answers at {parts.netloc} ({', '.join(tally.failures)})")
    facts: dict[str, object] = {
        "requests": len(tally.seconds),
        "requests_per_second": len(tally.seconds) / seconds,
        "p50_ms": tally.quantile(0.5),
        "p99_ms": tally.quantile(0.99),
        "max_ms": tally.quantile(1.0),
        "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
        "lost": sum(tally.failures.values()),
        "failures": dict(tally.failures),
    }
    if metrics:
        facts["microseconds_in_plugins"] = costs_since(before, settled_costs(metrics))
    print_facts(facts, output)
    if bad or tally.failures or not tally.seconds:
        raise typer.Exit(1)


def _head(parts: SplitResult) -> bytes:
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    return f"GET {target} HTTP/1.1\r\nhost: {parts.netloc}\r\n\r\n".encode()


async def _run(host: str, port: int, head: bytes, connections: int, seconds: float) -> Tally:
    tally, loop = Tally(), asyncio.get_running_loop()
    until = loop.time() + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_client(host, port, head, tally, until))
    return tally


async def _client(host: str, port: int, head: bytes, tally: Tally, until: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            tally.failures[f"{CONNECT}{error.strerror or str(error) or 'no answer'}"] += 1
            await asyncio.sleep(0.1)
            continue
        try:
            while loop.time() < until:
                began = loop.time()
                writer.write(head)
                answer = _Answer()
                async with asyncio.timeout(PATIENCE):
                    keep = await answer.read(reader)
                tally.seconds.append(loop.time() - began)
                tally.statuses[answer.status] += 1
                tally.body_bytes += answer.body_bytes
                if not keep:
                    break
        except (OSError, httptools.HttpParserError) as error:
            tally.failures[f"{type(error).__name__}: {error}".removesuffix(": ")] += 1
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class _Answer:
    """One response, parsed to its end."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.status = self.body_bytes = 0
        self.complete = False

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.body_bytes += len(body)

    def on_message_complete(self) -> None:
        self.complete = self.status >= 200

    async def read(self, reader: asyncio.StreamReader) -> bool:
        """Read one response; return whether the connection can be used again."""
        while not self.complete:
            data = await reader.read(65536)
            if not data:
                raise ConnectionResetError("the connection was closed before the response's end")
            self.parser.feed_data(data)
        return bool(self.parser.should_keep_alive())
