"""The work that would hold up requests, in a process of its own: fetch, read and compile.

It is told by JSON on its standard input and answers by JSON on its standard output: `Report`.
"""

from __future__ import annotations

import gc
import hashlib
import json
import resource
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugbay.sdk.protection import number_of

from ._config import SEVERITIES, Config, Feed
from ._fetch import Copy, FetchFailed, fetch
from ._index import Compiler, Index, Row
from ._parse import Indicator, looks_right, parse
from ._spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    Report = dict[str, Any]

INDEX, ALLOWED = "index.bin", "allowed.bin"
HOUR = 3600.0


def run(config: Config, folder: Path, *, now: float | None = None, force: bool = False) -> Report:
    """Fetch what is due (all of it by `force`), and compile anew; return how each feed is.

    Nothing is compiled if no feed is another, unless indicators may have ended since.
    """
    now = time.time() if now is None else now
    copies = folder / "feeds"
    copies.mkdir(mode=0o700, exist_ok=True)
    report: Report = {"feeds": {}, "compiled": False}
    changed = False
    for feed in config.feeds:
        entry = report["feeds"][feed.name] = {"error": "", "changed": False}
        if (
            not force
            and now - float(Copy.of(feed, copies).read().get("fetched", 0.0)) < feed.every * 0.9
        ):
            continue
        try:
            entry["changed"] = fetch(feed, config, copies, partial(_check, feed))
        except FetchFailed as error:
            entry["error"] = str(error)[:500]
        changed |= bool(entry["changed"])
    seal = _seal(config)
    if changed or _stale(folder / INDEX, seal, now):
        report["compiled"] = True
        report["indicators"] = compile_all(config, folder, seal, now)
    return report


def compile_all(config: Config, folder: Path, seal: str, now: float) -> dict[str, int]:
    """Write the two indexes; return how many indicators each feed has. Others stay as they are."""
    gc.disable()  # millions of small objects, and none of them in a cycle
    counts: dict[str, int] = {}
    for name, allow in ((ALLOWED, True), (INDEX, False)):
        compiler, left = Compiler(), config.max_indicators
        for feed in (feed for feed in config.feeds if feed.allow == allow):
            counts[feed.name] = taken = _take(compiler, feed, folder / "feeds", now, left)
            left -= taken
        compiler.write(folder / name, {"seal": seal, "made": now, "feeds": counts})
    return counts


def _take(compiler: Compiler, feed: Feed, copies: Path, now: float, most: int) -> int:
    """Take in the copy of a feed; return how many indicators it has."""
    copy, taken = Copy.of(feed, copies), 0
    notes = copy.read()
    fetched = float(notes.get("fetched", now))
    try:
        for indicator in _read(feed, copy.data):
            if taken >= most:
                break
            row = _row(feed, indicator, fetched)
            if row.expires and row.expires <= now:
                continue
            taken += _add(compiler, indicator.value, row)
    except (OSError, ValueError):
        return taken  # it was good when it was fetched: another configuration reads it otherwise
    return taken


def _row(feed: Feed, indicator: Indicator, fetched: float) -> Row:
    expires = indicator.expires or (fetched + feed.expires if feed.expires else 0.0)
    if expires:  # by the hour, so that rows are few
        expires = -(-expires // HOUR) * HOUR
    return Row(feed.name, SEVERITIES.index(indicator.severity or feed.severity), expires)


def _add(compiler: Compiler, value: str, row: Row) -> bool:
    """Take in one indicator; False for what is none, or is a network too wide to be meant."""
    value = value.rstrip(".")
    address, slash, bits = value.partition("/")
    found = number_of(address)
    if found is None:
        if slash or not looks_right(value) or "." not in value or value[-1].isdigit():
            return False
        compiler.domain(value, compiler.row(row))
        return True
    version, number = found
    width = 32 if version == 4 else 128
    length = int(bits) if bits.isdecimal() and len(bits) < 4 else (-1 if slash else width)
    if not (8 if version == 4 else 19) <= length <= width:
        return False
    size = (1 << (width - length)) - 1
    low = number & ~size
    spans = compiler.four if version == 4 else compiler.six
    spans.append(Span(low, low | size, compiler.row(row)))
    return True


def _read(feed: Feed, path: Path) -> Iterator[Indicator]:
    with path.open(encoding="utf-8", errors="replace", newline="") as text:
        yield from parse(feed, text)


def _check(feed: Feed, path: Path) -> None:
    """Raises `FetchFailed` for what cannot be read, or names nobody: an error page, for example."""
    probe, row = Compiler(), Row(feed.name, 0, 0.0)
    try:
        if any(_add(probe, indicator.value, row) for indicator in _read(feed, path)):
            return
    except ValueError as error:
        raise FetchFailed(f"it is no {feed.format} feed: {error}") from error
    raise FetchFailed(f"it has no indicator that can be read as {feed.format}")


def _seal(config: Config) -> str:
    """Return what the compiled files depend on, hashed: another configuration compiles anew."""
    text = json.dumps([asdict(feed) for feed in config.feeds]) + str(config.max_indicators)
    return hashlib.sha256(text.encode()).hexdigest()


def _stale(path: Path, seal: str, now: float) -> bool:
    try:
        header = Index.open(path).header
    except (OSError, ValueError):
        return True
    return header.get("seal") != seal or now - float(header.get("made", 0.0)) > HOUR


def main() -> None:
    """Do the work that the standard input describes."""
    told: dict[str, Any] = json.load(sys.stdin)
    said: dict[str, Any] = told["config"]
    said["feeds"] = tuple(Feed(**feed) for feed in said["feeds"])
    config = Config(**said)
    most = config.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    json.dump(run(config, Path(told["folder"]), force=told["force"]), sys.stdout)
