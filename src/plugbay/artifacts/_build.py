"""Builds a plugin's wheel: pure Python, `src` layout, the same bytes every time.

A wheel is a zip archive with METADATA, WHEEL and RECORD (PEP 427), so a plugin needs no build
back end; one that does more than this is built with its own and uploaded just the same.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tomllib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, cast

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from plugbay.kernel import Invalid, Problem
from plugbay.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_WHEEL = b"Wheel-Version: 1.0\nGenerator: plugbay\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_wheel(project: Path, out: Path) -> Path:
    """Build the wheel of `project` into `out` and return its path.

    Reads `[project]` of `pyproject.toml` and everything below `src`. Raises `Invalid` if they
    are missing or wrong.
    """
    facts = _facts(project / "pyproject.toml")
    files = dict(_sources(project / "src"))
    if not any(name.endswith("/plugbay.toml") for name in files):
        _refuse("/src", "the project has no plugbay.toml", "src/<package>/plugbay.toml")
    info = f"{facts.stem}.dist-info"
    files[f"{info}/METADATA"] = facts.metadata.encode()
    files[f"{info}/WHEEL"] = _WHEEL
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    path = out / f"{facts.stem}-py3-none-any.whl"
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(path, _zipped(files), mode=0o644)
    return path


@dataclass(frozen=True, slots=True)
class _Facts:
    stem: str
    metadata: str


def _facts(path: Path) -> _Facts:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        _refuse("/pyproject.toml", f"{path} cannot be read", "TOML in UTF-8", str(error))
    table = document.get("project")
    project = cast("dict[str, Any]", table) if isinstance(table, dict) else {}
    name, version = project.get("name"), project.get("version")
    if not isinstance(name, str) or not name:
        _refuse("/project/name", "pyproject.toml has no name", 'name = "plugbay-hello"')
    try:
        number = Version(version if isinstance(version, str) else "")
    except InvalidVersion:
        _refuse("/project/version", "no version (PEP 440)", 'version = "1.0.0"', str(version))
    stem = f"{canonicalize_name(name).replace('-', '_')}-{number}"
    return _Facts(stem, "".join(_metadata(name, str(number), project)))


def _metadata(name: str, version: str, project: Mapping[str, Any]) -> Iterator[str]:
    yield f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
    for key, field in (("description", "Summary"), ("requires-python", "Requires-Python")):
        if key in project:
            yield f"{field}: {_line(key, project[key])}\n"
    if isinstance(project.get("license"), str):
        yield f"License-Expression: {_line('license', project['license'])}\n"
    for requirement in project.get("dependencies", ()):
        yield f"Requires-Dist: {_line('dependencies', requirement)}\n"
    for extra, requirements in project.get("optional-dependencies", {}).items():
        yield f"Provides-Extra: {_line('optional-dependencies', extra)}\n"
        for requirement in requirements:
            text, _, marker = _line("optional-dependencies", requirement).partition(";")
            both = f"({marker.strip()}) and " if marker else ""
            yield f"Requires-Dist: {text.strip()} ; {both}extra == '{extra}'\n"


def _line(key: str, value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        _refuse(f"/project/{key}", "not one line of text", "a string", repr(value))
    return value


def _sources(folder: Path) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        _refuse("/src", "the project has no src folder", "src/<package>/__init__.py")
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part == "__pycache__" or part.startswith(".") for part in parts):
            continue
        if parts[0].endswith(".egg-info") or path.suffix in (".pyc", ".pyo"):
            continue
        if path.is_symlink():
            _refuse("/src", f"{path} is a symbolic link", "files")
        if path.is_file():
            yield "/".join(parts), path.read_bytes()


def _record(files: Mapping[str, bytes], own: str) -> bytes:
    lines: list[str] = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
        quoted = f'"{name.replace(chr(34), chr(34) * 2)}"' if {",", '"'} & set(name) else name
        lines.append(f"{quoted},sha256={digest.decode()},{len(content)}\n")
    return ("".join(lines) + f"{own},,\n").encode()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = _MODE
            info.create_system = 3  # Unix, also when it is built elsewhere
            archive.writestr(info, content, zipfile.ZIP_DEFLATED, 9)
    return stream.getvalue()


def _refuse(pointer: str, detail: str, expected: str, found: str = "") -> NoReturn:
    problem = Problem(pointer, detail, expected=expected, found=found, remedy="correct the project")
    raise Invalid(f"{detail}: expected {expected}", problems=(problem,))
