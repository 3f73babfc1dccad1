"""Plugins without a gateway: found by name or path, and made ready to be loaded."""

from __future__ import annotations

import hashlib
import re
import shutil
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugbay.kernel import Invalid, NotFound, convert
from plugbay.sdk import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BUNDLED = Path(__file__).parents[4] / "plugins" / "mcp"
"""In a checkout; installed plugins are found by their entry point."""
GROUP = "plugbay.plugins"
HOME = Path("~/.plugbay/plugins")
_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPlugin:
    """Where a plugin's files are, and its configuration."""

    path: Path
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A copy that can be loaded: what is edited meanwhile is the next generation's affair."""

    manifest: Manifest
    payload: Path
    digest: str


def find_plugin(name: str, places: Sequence[Path] = (HOME, BUNDLED)) -> Path:
    """Return where a plugin is: a path, or a name in one of the places or of an installed one.

    What can be a name is none of a folder: who works in somebody's repository does not run what
    lies there under a plugin's name. Raises `NotFound`, which names those that there are.
    """
    path = Path(name).expanduser()
    if not _NAME.fullmatch(name) and path.exists():
        return path.resolve()
    known = {folder.name: folder for place in places for folder in _folders(place.expanduser())}
    if name in known:
        return known[name]
    known |= dict(_installed())
    if name in known:
        return known[name]
    listed = ", ".join(sorted(known)) or "none"
    remedy = f"; the folder here is ./{name}" if path.is_dir() else ""
    raise NotFound(f"there is no plugin {name!r}; known: {listed}{remedy}")


def stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a plugin's files do."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return tuple(
        (str(file), stat.st_mtime_ns, stat.st_size)
        for file in sorted(files)
        if file.suffix in (".py", ".toml", ".whl", ".json")
        for stat in (file.stat(),)
    )


def make_ready(path: Path, scratch: Path) -> Ready:
    """Copy a plugin's modules into `scratch` and read its manifest. Raises `Invalid`."""
    if path.suffix == ".whl":
        return _from_wheel(path, scratch)
    source = path / "src" if (path / "src").is_dir() else path.parent
    found = sorted(source.glob("*/plugbay.toml")) if source != path.parent else []
    found = found or sorted(path.glob("plugbay.toml"))
    if len(found) != 1:
        raise Invalid(f"{path}: expected one src/<package>/plugbay.toml, found {len(found)}")
    package = found[0].parent
    digest = _digest(package)
    payload = scratch / f"{package.name}-{digest[:16]}"
    if not payload.exists():
        shutil.copytree(
            package, payload / package.name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return Ready(manifest=_manifest(found[0]), payload=payload, digest=digest)


def _from_wheel(path: Path, scratch: Path) -> Ready:
    # Imported here: only a wheel needs it, and it takes its time to load.
    from plugbay.artifacts import unpack_wheel

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    payload = scratch / digest
    if not payload.exists():
        unpack_wheel(path, payload)
    found = sorted(payload.glob("*/plugbay.toml"))
    if len(found) != 1:
        raise Invalid(f"{path}: expected one <package>/plugbay.toml, found {len(found)}")
    return Ready(manifest=_manifest(found[0]), payload=payload, digest=digest)


def _manifest(path: Path) -> Manifest:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Invalid(f"{path}: not valid TOML: {error}") from None
    return convert(raw, Manifest, what=str(path))


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            total.update(f"{file.relative_to(folder)}\0".encode())
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _folders(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from (path for path in sorted(place.iterdir()) if (path / "src").is_dir())


def _installed() -> Iterator[tuple[str, Path]]:
    # Imported here: it reads the metadata of everything that is installed.
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    for entry in entry_points(group=GROUP):
        spec = find_spec(entry.value.partition(":")[0])
        for place in () if spec is None else spec.submodule_search_locations or ():
            yield entry.name, Path(place)
