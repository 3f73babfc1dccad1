"""Damaged artifacts and damaged requests, the same ones for the same seed.

A third each of wheels, executables and shared objects: flipped bytes, truncations, archives put
together of two, headers with other numbers, files in a sound archive changed, and HTTP fields
that do not fit what comes.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests import go_binaries
from tests.unit.artifacts.binaries import GOSO, PROCESS
from tests.unit.artifacts.wheels import wheel_bytes, wheel_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Dice = random.Random
    Change = Callable[[bytes, Dice], bytes]

WHEEL = "plugbay_hello-1.0.0-py3-none-any.whl"
_MARK = "plugbay-mutant"
_NUMBERS = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, (1 << 64) - 1)
_ZIP_MARKS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06")
_NAMES = ("../../x.whl", "x", ".", "\u202egpj.so", "a" * 300, "x\0.so", "x.wasm", "x.exe", "%2e%2e")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One upload: the body and the fields of the request, and what was done to it."""

    what: str
    body: bytes
    query: dict[str, str] = field(default_factory=dict[str, str])
    headers: dict[str, str] = field(default_factory=dict[str, str])


def mutants(count: int, seed: int) -> Iterator[Mutant]:
    """Yield `count` of them."""
    dice = random.Random(seed)  # noqa: S311 - repeatable
    sources = (_Wheel(), _Binary("program", PROCESS.text), _Binary("good.so", GOSO.text))
    for number in range(count):
        yield sources[number % 3].mutant(dice)


class _Wheel:
    """Sent as the body."""

    def __init__(self) -> None:
        self._whole = wheel_bytes()
        self._changes: dict[str, Change] = {
            "flip": _flip,
            "cut": _cut,
            "headers": _zip_headers,
            "splice": lambda data, dice: _splice(data, wheel_bytes(version="2.0.0"), dice),
            "doubled": lambda data, dice: data + wheel_bytes(id="other"),
            "content": _content,
            "request": lambda data, dice: data,
        }

    def mutant(self, dice: Dice) -> Mutant:
        what = dice.choice(list(self._changes))
        body = self._changes[what](self._whole, dice)
        query, headers = {"filename": WHEEL}, dict[str, str]()
        if what == "request":
            query, headers = _request(dice)
        return Mutant(f"wheel {what}", body, query, headers)


class _Binary:
    """Sent as a form, with its manifest."""

    def __init__(self, name: str, manifest: str) -> None:
        build = go_binaries.plugin if name.endswith(".so") else go_binaries.program
        self._name, self._whole, self._manifest = name, build().read_bytes(), manifest
        self._changes: dict[str, Change] = {
            "flip": _flip,
            "cut": _cut,
            "headers": _elf_headers,
            "manifest": lambda data, dice: data,
            "form": lambda data, dice: data,
        }

    def mutant(self, dice: Dice) -> Mutant:
        what = dice.choice(list(self._changes))
        body, name, manifest = self._changes[what](self._whole, dice), self._name, self._manifest
        if what == "manifest":
            manifest = _flip(manifest.encode(), dice).decode("latin-1")
            name = dice.choice((name, *_NAMES))
        form = _form(name, body, manifest)
        if what == "form":
            form = dice.choice((_flip_head, _cut))(form, dice)
        kind = f"multipart/form-data; boundary={_MARK}"
        return Mutant(f"{self._name} {what}", form, {}, {"content-type": kind})


def _flip(data: bytes, dice: Dice) -> bytes:
    out = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(out))
        out[at] ^= 1 << dice.randrange(8)
    return bytes(out)


def _flip_head(data: bytes, dice: Dice) -> bytes:
    return _flip(data[:400], dice) + data[400:]


def _cut(data: bytes, dice: Dice) -> bytes:
    return data[: dice.choice((0, 1, 3, 64, dice.randrange(len(data)), len(data) - 1))]


def _zip_headers(data: bytes, dice: Dice) -> bytes:
    """Put another number into a header of the archive."""
    at = dice.choice(list(_positions(data, dice.choice(_ZIP_MARKS[:3]))))
    return _number(data, at + 4 + dice.randrange(40), dice)


def _elf_headers(data: bytes, dice: Dice) -> bytes:
    """Put other numbers into the ELF header or the tables that it points to."""
    sections, width, count = (
        *struct.unpack_from("<Q", data, 40),
        *struct.unpack_from("<HH", data, 58),
    )
    for _ in range(dice.randint(1, 3)):
        start, size = dice.choice(((0, 64), (64, 56 * 8), (sections, width * count)))
        data = _number(data, start + dice.randrange(size), dice)
    return data


def _number(data: bytes, at: int, dice: Dice) -> bytes:
    piece = struct.pack("<Q", dice.choice((*_NUMBERS, dice.getrandbits(64))))
    piece = piece[: dice.choice((1, 2, 4, 8))]
    return (data[:at] + piece + data[at + len(piece) :])[: len(data)]


def _positions(data: bytes, mark: bytes) -> Iterator[int]:
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + 1)


def _splice(data: bytes, other: bytes, dice: Dice) -> bytes:
    """Begin as one archive and end as the other, cut where their structures begin."""
    mark = dice.choice(_ZIP_MARKS[:3])
    head, tail = (
        dice.choice(list(_positions(data, mark))),
        dice.choice(list(_positions(other, mark))),
    )
    return data[:head] + other[tail:]


def _content(data: bytes, dice: Dice) -> bytes:
    """A sound archive with a right RECORD, one file of which is damaged."""
    del data
    name = dice.choice(list(wheel_files()))
    return wheel_bytes(files={name: _flip(wheel_files()[name], dice)})


def _request(dice: Dice) -> tuple[dict[str, str], dict[str, str]]:
    digest = dice.choice(
        ("sha-256=:AAAA:", "sha-256=?1", "md5=:AA==:", "\x7f", "sha-256=:" + "A" * 44)
    )
    named = dice.choice(_NAMES)
    return dice.choice(
        (
            ({"filename": WHEEL}, {"repr-digest": digest}),
            ({"filename": named}, {}),
            (
                {},
                {"content-disposition": f'attachment; filename="{_latin(named[:9])}'},
            ),
            ({"filename": WHEEL}, {"content-type": "multipart/form-data; boundary="}),
            ({"filename": WHEEL}, {"content-type": "multipart/form-data; boundary=x"}),
            (
                {"filename": WHEEL},
                {"content-type": dice.choice(("text/\xe4", "multipart/form-data;;;", ";"))},
            ),
            ({"filename": WHEEL}, {"content-encoding": "gzip"}),
        )
    )


def _form(name: str, body: bytes, manifest: str) -> bytes:
    part = f'--{_MARK}\r\ncontent-disposition: form-data; name="'
    safe = name.replace('"', "").replace("\0", "%00")
    head = f'{part}manifest"\r\n\r\n{manifest}\r\n{part}file"; filename="{safe}"\r\n\r\n'
    return head.encode("utf-8") + body + f"\r\n--{_MARK}--\r\n".encode()


def _latin(text: str) -> str:
    return text.encode().decode("latin-1")
