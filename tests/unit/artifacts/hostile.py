"""Archives that no honest tool writes, and the layer `form` on its own."""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import TYPE_CHECKING

from plugbay.artifacts import ArchiveLimits, Form, Subject

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.kernel import Problem

NAME = "plugbay_hello-1.0.0-py3-none-any.whl"
INFO = "plugbay_hello-1.0.0.dist-info"


def inspect(path: Path, filename: str = NAME, limits: ArchiveLimits | None = None) -> list[Problem]:
    subject = Subject(digest="0" * 64, path=path, filename=filename)
    return list(asyncio.run(Form(limits).inspect(subject)))


def details(problems: list[Problem]) -> str:
    return "\n".join(f"{p.detail} | {p.expected} | {p.found}" for p in problems)


def raw_zip(
    *entries: tuple[bytes, bytes, int, int],
    names: dict[int, bytes] | None = None,
) -> bytes:
    """A zip of (name, deflated data, claimed size, crc); `names` replaces local names."""
    body, directory = b"", b""
    for index, (name, data, size, crc) in enumerate(entries):
        offset = len(body)
        local = (names or {}).get(index, name)
        common = struct.pack("<5H3L2H", 20, 0, 8, 0, 33, crc, len(data), size, len(local), 0)
        body += b"PK\x03\x04" + common + local + data
        head = struct.pack("<6H3L2H", 20, 20, 0, 8, 0, 33, crc, len(data), size, len(name), 0)
        directory += b"PK\x01\x02" + head + struct.pack("<3H2L", 0, 0, 0, 0o100644 << 16, offset)
        directory += name
    count = len(entries)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def deflated(data: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return squeeze.compress(data) + squeeze.flush()


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / NAME
    path.write_bytes(data)
    return path
