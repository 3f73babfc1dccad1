"""Chunked coding in its plainest form: whole chunks, no extensions, no trailers (RFC 9112, 7.1)."""

from __future__ import annotations

import re

LAST = b"0\r\n\r\n"
_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})\r\n")
_LINE_END = b"\r\n"


def whole_chunks(data: bytes) -> tuple[bytes, bool] | None:
    """Return what the chunks in `data` hold, and whether the last one is among them.

    None if it is anything else: then a parser must look at it. Nothing may stand behind the last.
    """
    if data == LAST:
        return b"", True
    at, size = 0, len(data)
    found: list[bytes] = []
    while at < size:
        line = _SIZE.match(data, at)
        if line is None:
            return None
        begin = line.end()
        end = begin + int(line[1], 16)
        at = end + 2
        if data[end:at] != _LINE_END:
            return None
        content = data[begin:end]
        if not content:
            return (b"".join(found), True) if at == size else None
        if at == size and not found:
            return content, False
        found.append(content)
    return b"".join(found), False
