"""Real wheels for tests, with a RECORD that is right unless a test wants it wrong."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SOURCE = '''\
"""A plugin that greets."""

from dataclasses import dataclass

from plugbay.sdk import Plugin, Request, RequestFilter, Response


@dataclass(frozen=True, slots=True)
class Config:
    greeting: str = "hello"


class Hello(Plugin[Config], RequestFilter):
    def on_request(self, request: Request) -> Response | None:
        return None
'''
MANIFEST = """\
id = "{id}"
version = "{version}"
api = 1
runtime = "python"
entry = "{package}:Hello"
provides = ["request-filter"]
"""
METADATA = "Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nRequires-Python: >=3.11\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def record_line(name: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"


def wheel_files(
    *,
    id: str = "hello",
    version: str = "1.0.0",
    source: str = SOURCE,
    manifest: str | None = None,
    metadata: str = METADATA,
    wheel: str = WHEEL,
    files: Mapping[str, str | bytes] | None = None,
) -> dict[str, bytes]:
    """The files of a wheel but its RECORD; `manifest=""` leaves plugbay.toml out."""
    package = f"plugbay_{id.replace('-', '_')}"
    facts: dict[str, Any] = {"id": id, "version": version, "package": package, "name": package}
    info = f"{package}-{version}.dist-info"
    made: dict[str, str | bytes] = {f"{package}/__init__.py": source}
    text = MANIFEST.format(**facts) if manifest is None else manifest
    if text:
        made[f"{package}/plugbay.toml"] = text
    made[f"{info}/METADATA"] = metadata.format(**facts)
    made[f"{info}/WHEEL"] = wheel
    made.update(files or {})
    return {k: v.encode() if isinstance(v, str) else v for k, v in made.items()}


def record_name(files: Mapping[str, bytes]) -> str:
    return next(n for n in files if n.endswith(".dist-info/METADATA")).replace("METADATA", "RECORD")


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def make_wheel(
    folder: Path,
    *,
    id: str = "hello",
    version: str = "1.0.0",
    record: str | None = None,
    **parts: Any,
) -> Path:
    """Write `plugbay_<id>-<version>-py3-none-any.whl` into `folder`.

    `source` is the package's `__init__.py`, `manifest` its plugbay.toml, `files` more files;
    `record` replaces the correct RECORD.
    """
    files = wheel_files(id=id, version=version, **parts)
    name = record_name(files)
    lines = "".join(record_line(file, content) for file, content in files.items())
    files[name] = (lines + f"{name},,\n" if record is None else record).encode()
    package = f"plugbay_{id.replace('-', '_')}"
    return write_zip(folder / f"{package}-{version}-py3-none-any.whl", files)


def wheel_bytes(**parts: Any) -> bytes:
    """The same as bytes."""
    files = wheel_files(**parts)
    name = record_name(files)
    lines = "".join(record_line(file, content) for file, content in files.items())
    files[name] = (lines + f"{name},,\n").encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            archive.writestr(zipfile.ZipInfo(file, (1980, 1, 1, 0, 0, 0)), content)
    return stream.getvalue()
