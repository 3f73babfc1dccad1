"""Go's build information, read from the file (package debug/buildinfo). Blocking.

Since Go 1.18 the section `.go.buildinfo` holds a magic number, a flags byte and two strings with
varint lengths: the version, and the module information between two 16-byte markers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from plugbay.artifacts._go_build import GoBuild, GoModule
from plugbay.artifacts._native._elf import ElfError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plugbay.artifacts._native._elf import Buffer, Elf

SECTION = ".go.buildinfo"
_MAGIC = b"\xff Go buildinf:"
_INLINE = 2
_HEADER = 32
_MARKER = 16
_LARGEST = 4 << 20
_MOST_MODULES = 10_000


def read_go_build(data: Buffer, elf: Elf) -> GoBuild | None:
    """Return what Go says of the build; None if it was not made by Go.

    Raises `ElfError` if the section is there and cannot be read.
    """
    section = elf.section(SECTION)
    if section is None:
        return None
    raw = data[section.offset : section.offset + min(section.stored, _LARGEST)]
    start = raw.find(_MAGIC)
    if start < 0 or len(raw) < start + _HEADER:
        raise ElfError(f"{SECTION} is damaged", expected="Go's magic number", found="none")
    if not raw[start + 15] & _INLINE:
        raise ElfError("built by a very old Go", expected="Go 1.18 or newer", found="an older one")
    version, at = _string(raw, start + _HEADER)
    modules, _ = _string(raw, at)
    if len(modules) < 2 * _MARKER + 1 or modules[-_MARKER - 1 : -_MARKER] != b"\n":
        return GoBuild(version=_text(version), path="")  # built without modules
    return _build(_text(version), _text(modules[_MARKER:-_MARKER]))


def _string(raw: bytes, at: int) -> tuple[bytes, int]:
    size = shift = 0
    while True:
        if at >= len(raw) or shift > 35:
            raise ElfError(f"{SECTION} is cut off", found=f"{len(raw)} bytes")
        byte = raw[at]
        at += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if at + size > len(raw):
        raise ElfError(
            f"{SECTION} is cut off", expected=f"{at + size} bytes", found=f"{len(raw)} bytes"
        )
    return raw[at : at + size], at + size


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ElfError(f"{SECTION} is damaged", expected="UTF-8", found=str(error)) from None


def _build(version: str, text: str) -> GoBuild:
    """Read the lines (runtime/debug, `ParseBuildInfo`); unknown ones are left out."""
    lines = [line.split("\t") for line in text.splitlines()]
    settings = dict(_setting(line[1]) for line in lines if line[0] == "build" and len(line) > 1)
    main = next(_modules(lines, "mod"), None)
    return GoBuild(
        version=version,
        path=next((line[1] for line in lines if line[0] == "path" and len(line) > 1), ""),
        module=main,
        deps=tuple(_modules(lines, "dep")),
        settings=settings,
    )


def _modules(lines: list[list[str]], kind: str) -> Iterator[GoModule]:
    following = [*lines[1:], [""]]
    count = 0
    for line, after in zip(lines, following, strict=True):
        if line[0] != kind:
            continue
        count += 1
        if count > _MOST_MODULES:
            raise ElfError("too many modules", expected=f"at most {_MOST_MODULES}")
        replaced = _module(after[1:]) if after[0] == "=>" else None
        found = _module(line[1:])
        yield GoModule(path=found.path, version=found.version, sum=found.sum, replaced=replaced)


def _module(fields: Iterable[str]) -> GoModule:
    path, version, total = (*fields, "", "", "")[:3]
    return GoModule(path=path, version=version, sum=total)


def _setting(text: str) -> tuple[str, str]:
    """Split `key=value`; what has white space or quotes in it is quoted as in Go."""
    if text.startswith('"') and (end := text.find('"=', 1)) > 0:
        return _unquoted(text[: end + 1]), _unquoted(text[end + 2 :])
    key, _, value = text.partition("=")
    return key, _unquoted(value)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == "`":
        return text[1:-1]
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError:
            return text  # an escape of Go's that JSON does not have: shown as it is
        return value if isinstance(value, str) else text
    return text
