"""Packages of Kilometers, `.kmpkg`: a tar.gz of a program, its `.sig` and its `.manifest`."""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid
from plugbay.km._discovery import PREFIX, Found, read
from plugbay.km._validation import Verdict, validate

if TYPE_CHECKING:
    import tarfile

    from plugbay.km._config import KmConfig

LARGEST = 256 << 20
"""Bytes of all files together."""
_MOST = 8
"""Files there may be."""
_SIP = 1 << 20
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class Installed:
    """What was put where, and who has signed it."""

    found: Found
    verdict: Verdict


def install_package(package: Path, folder: Path, config: KmConfig) -> Installed:
    """Put what is in a package among a user's plugins. Raises `Invalid`; then nothing is changed.

    The program is validated before, by the rules of km.toml, as it is before each start.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".incoming-") as incoming:
        found = unpack(package, Path(incoming))
        verdict = validate(found, config)
        beside = [path for path in Path(incoming).iterdir() if path != found.path]
        for old in (f"{found.path.name}.sig", f"{found.path.name}.manifest.json"):
            (folder / old).unlink(missing_ok=True)
        for path in (*beside, found.path):  # the program last: nothing runs without its signature
            os.replace(path, folder / path.name)
    return Installed(replace(found, path=folder / found.path.name), verdict)


class _Sips(io.RawIOBase):
    """Reads a file in small pieces: a header may say that it is as long as memory is."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        super().__init__()
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Raises `Invalid` if so much is asked for at once."""
        if not 0 <= size <= _SIP:
            raise Invalid(f"the package has a header of {size >> 20} MiB")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def unpack(package: Path, folder: Path) -> Found:
    """Write the files of a package into an empty folder. Raises `Invalid` if it is none."""
    import gzip  # every wrapper would carry them
    import tarfile

    try:
        with gzip.open(package) as plain, tarfile.open(fileobj=_Sips(plain), mode="r:") as archive:
            names = _write(archive, folder)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise Invalid(f"{package.name} is no package of Kilometers: {error}") from None
    programs = [name for name in names if Path(name).suffix not in (".sig", ".manifest", ".json")]
    if len(programs) != 1 or not programs[0].startswith(PREFIX):
        listed = ", ".join(names) or "nothing"
        raise Invalid(f"a package has one program {PREFIX}…, and this one: {listed}")
    program = programs[0]
    for name in names:
        if name not in (program, f"{program}.sig", *_manifests(program)):
            raise Invalid(f"what is {name} in the package? It is no part of {program}")
    for name in _manifests(program):
        if (folder / name).exists():
            (folder / name).rename(folder / f"{program}.manifest.json")
    (folder / program).chmod(0o755)
    found = read(folder / program)
    if found.problem:
        raise Invalid(found.problem)
    return found


def _write(archive: tarfile.TarFile, folder: Path) -> list[str]:
    """Write regular files by their own names, which lead nowhere."""
    names: list[str] = []
    left = LARGEST
    for member in archive:
        name = member.name.removeprefix("./")
        if member.isdir() and name in ("", "."):
            continue
        if not (member.isfile() and _FILE.fullmatch(name)) or name in names or len(names) >= _MOST:
            raise Invalid(f"the package has {member.name!r}, and may have single files only")
        left -= member.size
        source = archive.extractfile(member)
        if left < 0 or source is None:
            raise Invalid(f"the package is larger than {LARGEST >> 20} MiB")
        with source, (folder / name).open("xb") as target:
            shutil.copyfileobj(source, target)
        names.append(name)
    return names


def _manifests(program: str) -> tuple[str, ...]:
    plain = program.removeprefix(PREFIX)
    return (
        f"{program}.manifest.json",
        f"{program}.manifest",
        f"{plain}.manifest.json",
        f"{plain}.manifest",
    )
