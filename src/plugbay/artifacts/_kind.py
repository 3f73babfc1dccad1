"""What an artifact is, told by its content. Blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from plugbay.artifacts._native import _elf
from plugbay.artifacts._native._inspect import mapped

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts._native._elf import Buffer

Kind = Literal["wheel", "executable", "shared-object", "wasm"]
KINDS: tuple[Kind, ...] = ("wheel", "executable", "shared-object", "wasm")
_ZIP, _WASM = b"PK\x03\x04", b"\0asm"
_BY_RUNTIME: dict[str, Kind] = {"process": "executable", "goso": "shared-object", "wasm": "wasm"}
_BY_SUFFIX: dict[str, Kind] = {".so": "shared-object", ".wasm": "wasm"}


def kind_of(path: Path, filename: str, runtime: str = "") -> Kind:
    """Return the kind of a file that is not empty.

    Content that says nothing is taken for what was announced, by the declared runtime or else
    the file's name, so that its layers can say what is wrong with it.
    """
    announced = _announced(filename, runtime)
    with mapped(path) as data:
        if data[:4] == _ZIP:
            return "wheel"
        if data[:4] == _WASM:
            return "wasm"
        if data[:4] == _elf.MAGIC:
            return _native(data, announced)
    return announced


def _announced(filename: str, runtime: str) -> Kind:
    suffix = "." + filename.lower().rpartition(".")[2]
    return _BY_RUNTIME.get(runtime) or _BY_SUFFIX.get(suffix, "wheel")


def _native(data: Buffer, announced: Kind) -> Kind:
    """Tell a program from a library; what is cut off before it says so is what it was to be."""
    fallback: Kind = "shared-object" if announced == "shared-object" else "executable"
    try:
        header = _elf.read_header(data)
        segments = _elf.read_segments(data, header)
    except _elf.ElfError:
        return fallback
    if header.type not in (_elf.ET_EXEC, _elf.ET_DYN):
        return fallback
    program = _elf.is_program(header.type, segments, pie=_elf.is_pie(data, segments))
    return "executable" if program else "shared-object"
