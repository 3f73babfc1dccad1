"""Writes files in the MaxMind DB format 2.0, as flat as some publishers make them."""

from __future__ import annotations

import struct
from ipaddress import ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Value = str | float | int | list[str] | dict[str, "Value"]
MARKER = b"\xab\xcd\xefMaxMind.com"


def encoded(value: Value) -> bytes:
    """Return a value of the data section."""
    if isinstance(value, str):
        raw = value.encode()
        return _control(2, len(raw)) + raw
    if isinstance(value, float):
        return _control(3, 8) + struct.pack(">d", value)
    if isinstance(value, int):
        return _number(6, 4, value)
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(encoded, value))
    inner = b"".join(encoded(name) + encoded(one) for name, one in value.items())
    return _control(7, len(value)) + inner


def _control(kind: int, size: int) -> bytes:
    assert size < 29 + 256
    short, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    if kind > 7:
        return bytes([short, kind - 7]) + more
    return bytes([kind << 5 | short]) + more


def _number(kind: int, size: int, value: int) -> bytes:
    return _control(kind, size) + value.to_bytes(size)


def write(
    path: Path, records: Mapping[str, Value], *, kind: str = "city ipv4", version: int = 4
) -> None:
    """Write a database of these networks, all of one version."""
    nodes: list[list[int | None]] = [[None, None]]
    data = b""
    leaves: list[tuple[int, int, int]] = []
    for text, record in records.items():
        network = ip_network(text)
        bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
        at = 0
        for bit in bits[:-1]:
            following = nodes[at][int(bit)]
            if following is None:
                nodes.append([None, None])
                following = nodes[at][int(bit)] = len(nodes) - 1
            at = following
        leaves.append((at, int(bits[-1]), len(data)))
        data += encoded(record)
    count = len(nodes)
    for at, bit, offset in leaves:
        nodes[at][bit] = count + 16 + offset
    tree = b"".join(
        struct.pack(">II", *(count if one is None else one for one in node)) for node in nodes
    )
    about = {
        "node_count": _number(6, 4, count),
        "record_size": _number(5, 2, 32),
        "ip_version": _number(5, 2, version),
        "database_type": encoded(kind),
        "languages": encoded(["en"]),
        "binary_format_major_version": _number(5, 2, 2),
        "binary_format_minor_version": _number(5, 2, 0),
        "build_epoch": _number(9, 8, 1_700_000_000),
        "description": encoded({"en": "flat"}),
    }
    described = b"".join(encoded(name) + raw for name, raw in about.items())
    fresh = path.with_suffix(".new")
    fresh.write_bytes(tree + bytes(16) + data + MARKER + _control(7, len(about)) + described)
    fresh.replace(path)
