"""Fetches a feed: only if it has changed, within bounds, and the last good copy stays."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPMessage

    from ._config import Config, Feed

_PIECE = 1 << 16


class FetchFailed(Exception):
    """A feed could not be had."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The last good copy of a feed: where it is, and what its server said of it."""

    data: Path
    notes: Path

    @classmethod
    def of(cls, feed: Feed, folder: Path) -> Copy:
        """Return the place of a feed's copy; of another url it is another place."""
        name = hashlib.sha256(f"{feed.name}\n{feed.url}{feed.path}".encode()).hexdigest()[:24]
        return cls(folder / f"{name}.feed", folder / f"{name}.json")

    @property
    def draft(self) -> Path:
        """Where a newer one is gathered."""
        return self.data.with_suffix(".new")

    def read(self) -> dict[str, Any]:
        """Return the notes; empty if there is no copy."""
        try:
            found: dict[str, Any] = json.loads(self.notes.read_text())
        except (OSError, ValueError):
            return {}
        return found if self.data.exists() else {}

    def write(self, notes: dict[str, Any]) -> None:
        """Replace the notes."""
        draft = self.notes.with_suffix(".draft")
        draft.write_text(json.dumps(notes))
        draft.replace(self.notes)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http(s) only, never from https to http, and takes no header to another host."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme not in ("http", "https") or (old.scheme, new.scheme) == ("https", "http"):
            raise FetchFailed(f"it redirects to {new.scheme}")
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None and old.netloc != new.netloc:
            made.headers = {"User-agent": made.get_header("User-agent", "")}
        return made


def fetch(
    feed: Feed,
    config: Config,
    folder: Path,
    check: Callable[[Path], None],
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Bring the copy of a feed up to date; return whether it is another now.

    `check` looks at what has come before it replaces the copy, and raises `FetchFailed` if it is
    no good. Raises `FetchFailed` after the last attempt, too; the copy is then what it was.
    """
    copy = Copy.of(feed, folder)
    if feed.path:
        return _take_file(feed, config, copy, check)
    for attempt in range(config.retries + 1):
        try:
            return _ask(feed, config, copy, check)
        except (OSError, http.client.HTTPException) as error:
            code = getattr(error, "code", 500)
            if attempt == config.retries or (400 <= code < 500 and code not in (408, 429)):
                raise FetchFailed(f"{type(error).__name__}: {error}") from error
            pause(2.0**attempt)
    raise FetchFailed("no attempt")


def _ask(feed: Feed, config: Config, copy: Copy, check: Callable[[Path], None]) -> bool:
    notes = copy.read()
    request = urllib.request.Request(feed.url, headers=feed.headers)  # noqa: S310 - http(s) only
    request.add_header("User-agent", "plugbay-threat/1.0")
    for header, note in (("If-None-Match", "etag"), ("If-Modified-Since", "modified")):
        if notes.get(note):
            request.add_header(header, str(notes[note]))
    opener = urllib.request.build_opener(_Redirects)
    try:
        with opener.open(request, timeout=config.timeout) as response:
            digest, size = _store(response.read, config.max_bytes, copy.draft)
            length = response.headers.get("Content-Length")
            if length is not None and int(length) != size:
                raise OSError(f"it ended after {size} of {length} bytes")
            fresh = {
                "etag": response.headers.get("ETag", ""),
                "modified": response.headers.get("Last-Modified", ""),
                "digest": digest,
                "fetched": time.time(),
            }
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 304:
                raise
        copy.write({**notes, "fetched": time.time()})
        return False
    check(copy.draft)
    copy.draft.replace(copy.data)
    copy.write(fresh)
    return notes.get("digest") != digest


def _take_file(feed: Feed, config: Config, copy: Copy, check: Callable[[Path], None]) -> bool:
    try:
        found = os.stat(feed.path)
        notes, seen = copy.read(), f"{found.st_mtime_ns} {found.st_size}"
        if notes.get("etag") == seen:
            copy.write({**notes, "fetched": time.time()})
            return False
        with Path(feed.path).open("rb") as file:
            digest, _ = _store(file.read, config.max_bytes, copy.draft)
    except OSError as error:
        raise FetchFailed(str(error)) from error
    check(copy.draft)
    copy.draft.replace(copy.data)
    copy.write({"etag": seen, "digest": digest, "fetched": time.time()})
    return notes.get("digest") != digest


def _store(read: Callable[[int], bytes], most: int, draft: Path) -> tuple[str, int]:
    """Write what is read; return its SHA-256 and length. Raises `FetchFailed` if it is too long."""
    size, digest = 0, hashlib.sha256()
    with draft.open("wb") as file:
        while data := read(_PIECE):
            size += len(data)
            if size > most:
                draft.unlink()
                raise FetchFailed(f"it is longer than {most} bytes")
            digest.update(data)
            file.write(data)
    return digest.hexdigest(), size
