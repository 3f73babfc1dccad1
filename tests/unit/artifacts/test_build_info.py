"""Go's build information, as the linker writes it and as nobody should."""

from __future__ import annotations

import pytest

from plugbay.artifacts import GoBuild, GoModule
from plugbay.artifacts._native._build_info import read_go_build
from plugbay.artifacts._native._elf import Elf, ElfError, Section

MARK = b"0123456789abcdef"
LINES = (
    "path\texample.com/x\n"
    "mod\texample.com/x\tv1.0.0\th1:a=\n"
    "dep\texample.com/y\tv1.1.0\n"
    "=>\t../y\t\t\n"
    "dep\texample.com/z\tv2.0.0\th1:z=\n"
    'build\t-ldflags="-s -w"\n'
    'build\t"odd=key"=`a b`\n'
    'build\tbad="\\x41"\n'
    "build\n"
    "news\tof a later Go\n"
)


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80, number >> 7]) if number > 0x7F else bytes([number])


def blob(modules: bytes, *, flags: int = 2, version: bytes = b"go1.26.6") -> bytes:
    head = b"\xff Go buildinf:" + bytes([8, flags]) + bytes(16)
    return head + varint(len(version)) + version + varint(len(modules)) + modules


def read(raw: bytes) -> GoBuild | None:
    section = Section(name=".go.buildinfo", kind=1, address=0, offset=0, size=len(raw), link=0)
    return read_go_build(raw, Elf(type=3, machine=62, sections=(section,), segments=()))


def test_modules_replacements_and_settings() -> None:
    build = read(blob(MARK + LINES.encode() + MARK))

    assert build is not None
    assert (build.path, build.module) == (
        "example.com/x",
        GoModule(path="example.com/x", version="v1.0.0", sum="h1:a="),
    )
    assert build.deps == (
        GoModule(path="example.com/y", version="v1.1.0", replaced=GoModule(path="../y")),
        GoModule(path="example.com/z", version="v2.0.0", sum="h1:z="),
    )
    assert build.settings == {"-ldflags": "-s -w", "odd=key": "a b", "bad": '"\\x41"'}


def test_without_modules() -> None:
    assert read(blob(b"")) == GoBuild(version="go1.26.6", path="")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"nothing", "damaged"),
        (blob(b"")[:20], "damaged"),
        (blob(b"", flags=0), "very old"),
        (blob(b"")[:36], "cut off"),
        (blob(b"", version=b"x" * 100)[:50], "cut off"),
        (blob(b"")[:32] + b"\xff" * 9, "cut off"),
        (blob(b"", version=b"\xff"), "damaged"),
    ],
)
def test_what_cannot_be_read(raw: bytes, said: str) -> None:
    with pytest.raises(ElfError, match=said):
        read(raw)
