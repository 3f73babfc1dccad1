"""Wheels of dependencies for tests: small ones that are made, and installed ones packed again."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def pure_wheel(folder: Path, name: str, version: str, source: str, requires: str = "") -> Path:
    """Write a wheel with the one module `name`."""
    info = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    said = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    files = {
        f"{name}.py": source.encode(),
        f"{info}/METADATA": said.encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    return _write(folder / f"{name}-{version}-py3-none-any.whl", info, files)


def installed_wheel(folder: Path, name: str) -> Path:
    """Pack an installed distribution into a wheel again, with its C extensions."""
    found = metadata.distribution(name)
    files: dict[str, bytes] = {}
    for file in found.files or ():
        path = str(file)
        if ".." not in path and "__pycache__" not in path and not path.endswith("/RECORD"):
            files[path] = file.read_binary()
    info = next(path.split("/")[0] for path in files if path.endswith(".dist-info/WHEEL"))
    wheel = files[f"{info}/WHEEL"].decode()
    tag = next(line[5:].strip() for line in wheel.splitlines() if line.startswith("Tag: "))
    stem = info.removesuffix(".dist-info")
    return _write(folder / f"{stem}-{tag}.whl", info, files)


def locked(*wheels: Path) -> str:
    """Return the lock of some wheels, as `uv pip compile --generate-hashes` writes it."""
    lines: list[str] = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} \\\n    --hash=sha256:{digest}\n    # via the plugin\n")
    return "".join(lines)


def _write(path: Path, info: str, files: Mapping[str, bytes]) -> Path:
    record = ""
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(content)}\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path
