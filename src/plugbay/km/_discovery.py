"""Where plugins of Kilometers lie: programs named `km-plugin-*`, with a manifest beside them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from plugbay.kernel import NotFound
from plugbay.km._voice import printable
from plugbay.storage import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREFIX = "km-plugin-"
WORKING = Path("plugins")
DIRECTORIES = (
    Path("~/.km/plugins"),
    Path("~/.plugbay/plugins"),
    Path("/usr/local/share/km/plugins"),
    WORKING,
)
"""In this order; of two plugins with one name the first counts."""
BUNDLED = ".bundle"
"""The end of the name of the mark beside a plugin that came in a bundle."""
_BESIDE = (".sig", BUNDLED, ".manifest", ".json", ".pub", ".pem", ".kmpkg")
_CUSTOMER = re.compile(r"-[0-9a-f]{8}$")
"""The end of a program's name that was built for one customer."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A program, and what its manifest says of it. `problem`: why it cannot be a plugin."""

    path: Path
    name: str
    version: str = "unknown"
    tier: str = "Free"
    description: str = ""
    author: str = ""
    working: bool = False
    """Whether it lies in the working directory, where nobody may have put it on purpose."""
    problem: str = ""


def is_name(name: str) -> bool:
    """Whether a plugin may have this name."""
    return _NAME.fullmatch(name) is not None


def discover(directories: Iterable[Path] = DIRECTORIES) -> tuple[list[Found], list[Found]]:
    """Return the plugins there are, and those that an earlier one of the same name hides."""
    found: dict[str, Found] = {}
    hidden: list[Found] = []
    for directory in directories:
        for one in _in(directory.expanduser(), working=directory == WORKING):
            if one.name in found:
                hidden.append(one)
            else:
                found[one.name] = one
    return list(found.values()), hidden


def choose(name: str) -> Found:
    """Return the program at a path, or the installed plugin of that name. Raises `NotFound`."""
    path = Path(name).expanduser()
    if path.is_file():
        return read(path.absolute())
    found, _ = discover()
    known = {one.name: one for one in found}
    if name not in known:
        raise NotFound(f"there is no plugin {name!r}, neither a file nor installed")
    return known[name]


def _in(directory: Path, *, working: bool) -> Iterator[Found]:
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return  # none is as good as an empty one
    for path in entries:
        if path.name.startswith(PREFIX) and path.suffix not in _BESIDE:
            yield read(path.absolute(), working=working)


def read(path: Path, *, working: bool = False) -> Found:
    """Say what lies there, by its name and its manifest."""
    stem = path.name.removeprefix(PREFIX)
    plain = _CUSTOMER.sub("", stem)
    fallback = plain if is_name(plain) else printable(plain) or "?"
    for name in dict.fromkeys((path.name, stem, plain)):
        manifest = path.with_name(f"{name}.manifest.json")
        if manifest.is_file():
            return _described(path, fallback, manifest, working)
    return Found(path=path, name=fallback, working=working)


def _described(path: Path, fallback: str, manifest: Path, working: bool) -> Found:
    try:
        with open_regular(manifest) as file:
            raw: object = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        problem = f"its manifest cannot be read: {error}"
        return Found(path=path, name=fallback, working=working, problem=problem)
    if not isinstance(raw, dict):
        problem = "its manifest is no JSON object"
        return Found(path=path, name=fallback, working=working, problem=problem)
    fields = cast("dict[str, Any]", raw)
    name = str(fields.get("name") or fallback)
    known = is_name(name)
    return Found(
        path=path,
        name=name if known else fallback,
        version=_text(fields, "version") or "unknown",
        tier=_text(fields, "required_tier") or "Free",
        description=_text(fields, "description"),
        author=_text(fields, "author"),
        working=working,
        problem="" if known else "its manifest gives it a name that is none",
    )


def _text(fields: dict[str, Any], key: str) -> str:
    return printable(str(fields.get(key) or ""))[:200]
