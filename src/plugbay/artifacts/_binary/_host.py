"""This machine, as ELF and as Go name it, and the commands that build for it."""

from __future__ import annotations

import platform
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elftools.elf.enums import ENUM_E_MACHINE

if TYPE_CHECKING:
    from plugbay.artifacts._kind import Kind

_MACHINES = {
    "x86_64": (62, "amd64"),
    "aarch64": (183, "arm64"),
    "arm64": (183, "arm64"),
    "ppc64le": (21, "ppc64le"),
    "riscv64": (243, "riscv64"),
    "loongarch64": (258, "loong64"),
}
_NAMES = {number: name for name, number in ENUM_E_MACHINE.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The processor that binaries must be made for."""

    machine: int
    arch: str

    @classmethod
    def here(cls) -> Host:
        """Return this machine; one that is not known takes no binaries."""
        number, arch = _MACHINES.get(platform.machine(), (0, platform.machine()))
        return cls(machine=number, arch=arch)

    def build(self, kind: Kind, filename: str, *, version: str = "") -> str:
        """Return the command that makes such a file for this machine."""
        mode = " -buildmode=plugin" if kind == "shared-object" else ""
        # Only plugins need cgo; without it a program runs wherever Linux does.
        cgo = int(kind == "shared-object")
        chain = f"GOTOOLCHAIN={version} " if re.fullmatch(r"go[0-9][0-9a-z.]*", version) else ""
        settings = f"{chain}GOOS=linux GOARCH={self.arch} CGO_ENABLED={cgo}"
        return (
            f"{settings} go build{mode} -trimpath -o {shlex.quote(output_name(kind, filename))} ."
        )


def output_name(kind: Kind, filename: str) -> str:
    """Return how such a file should be called."""
    stem = re.sub(r"\.(so|whl|wasm|exe|dll|dylib)$", "", filename, flags=re.IGNORECASE) or "plugin"
    return f"{stem}.so" if kind == "shared-object" else stem


def machine_name(number: int) -> str:
    """Return the name of an ELF machine."""
    return _NAMES.get(number, f"machine {number}").removeprefix("EM_").replace("_", "-").lower()
