"""What a traced request went through, and how it is shown to a client that may see it.

A debug request carries `plugbay-trace: <expires>-<id>.<mac>`, made by `sign_trace` for somebody
who is signed in to the admin API; its response gets `Server-Timing`
(https://www.w3.org/TR/server-timing/) with an entry for each plugin.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Decision = Literal["passed", "answered", "failed", "skipped"]

TRACE_HEADER = b"plugbay-trace"
MAX_LIFETIME = 3600
_CONTEXT = b"plugbay-trace v1\n"
_ID = re.compile(rb"[0-9a-f]{0,32}")
_NOT_TOKEN = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """One plugin's part in one phase of a request; times are Unix time in nanoseconds."""

    plugin: str
    version: str
    digest: str
    generation: int
    phase: str
    began: int
    ended: int
    decision: Decision

    @property
    def milliseconds(self) -> float:
        """How long it took."""
        return (self.ended - self.began) / 1e6


def server_timing(
    steps: Iterable[TraceStep], *, total: float | None = None, upstream: float | None = None
) -> bytes:
    """Return the value of `Server-Timing`; `total` and `upstream` are in seconds."""
    entries = [
        f"{_NOT_TOKEN.sub('_', step.plugin)};dur={step.milliseconds:.3f}"
        f';desc="{_quoted(f"{step.phase} {step.version} #{step.generation} {step.decision}")}"'
        for step in steps
    ]
    for name, seconds in (("upstream", upstream), ("total", total)):
        if seconds is not None:
            entries.append(f"plugbay-{name};dur={seconds * 1e3:.3f}")
    return ", ".join(entries).encode("ascii", "replace")


def _quoted(text: str) -> str:
    printable = "".join(one if " " <= one <= "~" else "?" for one in text)
    return printable.replace("\\", "\\\\").replace('"', '\\"')


def sign_trace(key: bytes, *, now: float, lifetime: int = 300, id: str = "") -> str:
    """Return a value for `plugbay-trace` that holds for `lifetime` seconds.

    `id` is hexadecimal; by it this one can be revoked. Raises `ValueError` for a lifetime of more
    than `MAX_LIFETIME`, or a key below 16 bytes.
    """
    if not 0 < lifetime <= MAX_LIFETIME:
        raise ValueError(f"a trace permit holds for 1 to {MAX_LIFETIME} seconds")
    expires = int(now) + lifetime
    said = f"{expires}-{id}" if id else str(expires)
    return f"{said}.{_mac(key, said)}"


def verify_trace(key: bytes, value: bytes, *, now: float) -> bool:
    """Return whether `value` was made by `sign_trace` with `key` and still holds."""
    said, separator, mac = value.partition(b".")
    expires, _, id_ = said.partition(b"-")
    if not separator or not expires.isdigit() or len(expires) > 12 or not _ID.fullmatch(id_):
        return False
    deadline = int(expires)
    genuine = hmac.compare_digest(_mac(key, said.decode()).encode(), mac)
    return genuine and now < deadline <= now + MAX_LIFETIME + 1


def trace_id(value: bytes) -> str:
    """Return the id in a value that was verified; empty: it has none."""
    return value.partition(b".")[0].partition(b"-")[2].decode("ascii", "replace")


def _mac(key: bytes, said: str) -> str:
    if len(key) < 16:
        raise ValueError("the key of trace permits has at least 16 bytes")
    return hmac.new(key, _CONTEXT + said.encode(), hashlib.sha256).hexdigest()
