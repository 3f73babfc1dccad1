"""Ways to an MCP server, by a client that speaks raw JSON-RPC: over a pipe and over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from bench._mcp_measure import Figures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST = 64 << 20
PATIENCE = 60.0
VERSION = "2025-11-25"
HELLO = {
    "protocolVersion": VERSION,
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}


def encode(message: object) -> bytes:
    """Return JSON in one line."""
    return json.dumps(message, separators=(",", ":")).encode()


def request(id: int, method: str, params: Mapping[str, object]) -> bytes:
    """Return a request."""
    return encode({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def call(id: int, tool: str = "echo", message: str = "hello") -> bytes:
    """Return one `tools/call`."""
    return request(id, "tools/call", {"name": tool, "arguments": {"message": message}})


class Stdio:
    """A server, maybe wrapped, as a child of ours."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.command, self.env = command, env
        self.figures = Figures()
        self.tool = "echo"

    async def open(self) -> None:
        """Start it and say hello."""
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LONGEST,
            env=None if self.env is None else {**os.environ, **self.env},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.stdin.write(request(0, "initialize", HELLO) + b"\n")
        await self._answer()
        self.stdin.write(encode({"jsonrpc": "2.0", "method": "notifications/initialized"}) + b"\n")
        await self.one(0)

    async def one(self, id: int, message: str = "hello") -> None:
        """Make one call."""
        self.stdin.write(call(id, self.tool, message) + b"\n")
        assert (await self._answer())["id"] == id

    async def many(self, count: int) -> None:
        """Make calls, 64 in flight."""
        self.stdin.write(b"".join(call(id, self.tool) + b"\n" for id in range(64)))
        asked, seen = 64, set[int]()
        while len(seen) < count:
            seen.add((await self._answer())["id"])
            if asked < count:
                self.stdin.write(call(asked, self.tool) + b"\n")
                asked += 1

    async def _answer(self) -> dict[str, Any]:
        """Return the next response; servers may also say other things."""
        while True:
            message: dict[str, Any] = json.loads(await self.stdout.readline() or b"{}")
            if "result" in message:
                return message
            if "method" not in message:
                raise RuntimeError(f"{self.command[0]}: {message or 'it has ended'}")

    @property
    def pids(self) -> Sequence[int]:
        """The process that we have started; a wrapper's server is not counted."""
        return [self.process.pid]

    async def close(self) -> None:
        """End it."""
        self.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


class Http:
    """A server at an address, maybe behind something."""

    def __init__(
        self,
        address: str,
        pids: Sequence[int] = (),
        *,
        path: str = "/mcp",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.host, _, self.port = address.rpartition(":")
        self.path, self.headers, self.pids = path, dict(headers or {}), pids
        self.figures = Figures()
        self.tool = "echo"

    async def open(self) -> None:
        """Connect and say hello."""
        self.spare = [await self._connect() for _ in range(16)]
        await self._ask(*self.spare[0], request(0, "initialize", HELLO))
        self.headers["mcp-protocol-version"] = VERSION
        said = encode({"jsonrpc": "2.0", "method": "notifications/initialized"})
        await self._send(*self.spare[0], said)
        await self.one(0)

    async def one(self, id: int, message: str = "hello") -> None:
        """Make one call."""
        await self._renew()
        answer = await self._ask(*self.spare[0], call(id, self.tool, message))
        assert answer["id"] == id

    async def many(self, count: int) -> None:
        """Make calls, 16 in flight."""
        await self._renew()
        ids = iter(range(count))

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for id in ids:
                assert (await self._ask(reader, writer, call(id, self.tool)))["id"] == id

        await asyncio.gather(*(client(*one) for one in self.spare))

    async def close(self) -> None:
        """Disconnect."""
        for _, writer in self.spare:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _renew(self) -> None:
        """Connect again what the server has closed while others were measured."""
        self.spare = [await self._connect() if one[0].at_eof() else one for one in self.spare]

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, int(self.port), limit=LONGEST)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes
    ) -> dict[str, Any]:
        found = await self._send(reader, writer, body)
        messages = [found] if found[:1] == b"{" else _events(found)
        for one in messages:
            message: dict[str, Any] = json.loads(one)
            if "result" in message:
                return message
        raise RuntimeError(f"no result: {found[:300]!r}")

    async def _send(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes
    ) -> bytes:
        more = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        writer.write(
            f"POST {self.path} HTTP/1.1\r\nhost: {self.host}:{self.port}\r\n"
            "content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
            f"{more}content-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        async with asyncio.timeout(PATIENCE):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *rows = head.split("\r\n")
            fields = {k.lower(): v.strip() for k, _, v in (row.partition(":") for row in rows)}
            found = await _body(reader, fields)
        if line.split()[1] not in ("200", "202"):
            raise RuntimeError(f"{line}: {found[:300]!r}")
        if "mcp-session-id" in fields:
            self.headers["mcp-session-id"] = fields["mcp-session-id"]
        return found


async def _body(reader: asyncio.StreamReader, fields: Mapping[str, str]) -> bytes:
    if "content-length" in fields:
        return await reader.readexactly(int(fields["content-length"]))
    if fields.get("transfer-encoding") != "chunked":
        return b""
    parts: list[bytes] = []
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        parts.append((await reader.readexactly(size + 2))[:size])
        if not size:
            return b"".join(parts)


def _events(stream: bytes) -> list[bytes]:
    lines = stream.replace(b"\r\n", b"\n").split(b"\n")
    return [line[5:].strip() for line in lines if line.startswith(b"data:") and line[5:].strip()]
