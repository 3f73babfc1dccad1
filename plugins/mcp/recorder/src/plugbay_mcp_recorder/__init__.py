"""Records MCP messages as JSON lines, without secrets; `plugbay mcp replay` plays them again."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from plugbay.sdk import McpFilter, McpSession, Message, Plugin
from plugbay.sdk.redaction import Redactor

LONGEST = 1000
"""Characters of a method and of an id: both may be anything."""


@dataclass(frozen=True, slots=True)
class Config:
    """Where to, and what of the content."""

    path: str = ""
    """The file; empty: `messages.jsonl` in the plugin's own directory."""
    redact: bool = True
    """Take out what looks like a secret or like personal data."""
    chain: bool = False
    """Give each record the hash of the one before: what was removed or changed is seen."""
    max_message: int = 1 << 20
    """Bytes of a message; of a longer one only the size is recorded."""


class Recorder(Plugin[Config], McpFilter):
    """Appends a line for each message to a file that only its owner can read."""

    async def start(self) -> None:
        """Open the file. Raises `OSError`: what cannot be recorded must not run unnoticed."""
        path = Path(self.config.path) if self.config.path else self.host.data_dir / "messages.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        os.fchmod(self._fd, 0o600)
        self._redactor = Redactor()
        self._before = last_hash(self._fd) if self.config.chain else ""

    async def stop(self) -> None:
        """Close the file."""
        fd: int | None = getattr(self, "_fd", None)
        if fd is not None:
            os.close(fd)

    def on_message(self, message: Message) -> None:
        """Record it."""
        record: dict[str, object] = {
            "time": round(self.host.clock.time(), 6),
            "direction": message.direction,
            "kind": message.kind,
            "method": message.method[:LONGEST],
            "id": message.id[:LONGEST] if isinstance(message.id, str) else message.id,
            "server": message.session.server,
            "session": message.session.id,
            "identity": message.session.identity,
            "size": len(message.raw),
        }
        if message.blocked is not None:
            blocked = message.blocked
            record["blocked"] = {"code": blocked.code, "violation": blocked.violation}
        if len(message.raw) <= self.config.max_message:
            record["body"] = self._content(message)
        self._write(record)

    def on_exit(self, session: McpSession, code: int) -> None:
        """Record that the server has ended."""
        self._write({"time": self.host.clock.time(), "server": session.server, "exit": code})

    def _content(self, message: Message) -> object:
        try:
            read: object = message.body
        except ValueError:  # it has passed all the same, if nothing but observers is there
            text = message.raw.decode("utf-8", "replace")
            return {"unreadable": self._redactor.text(text)[0] if self.config.redact else text}
        if not self.config.redact:
            return read
        body, found = self._redactor.value(message.body)
        return {**body, "redacted": sum(found.values())} if found else body

    def _write(self, record: dict[str, object]) -> None:
        if self.config.chain:
            record["before"] = self._before
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        if self.config.chain:
            self._before = hashlib.sha256(line).hexdigest()
        os.write(self._fd, line)


def last_hash(fd: int) -> str:
    """Return the hash of the last line of a file; empty if it has none."""
    size = os.fstat(fd).st_size
    tail = os.pread(fd, min(size, 1 << 22), max(0, size - (1 << 22)))
    lines = tail.splitlines(keepends=True)
    return hashlib.sha256(lines[-1]).hexdigest() if lines else ""
