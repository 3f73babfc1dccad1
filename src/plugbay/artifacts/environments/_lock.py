"""The lock file of a wheel: every dependency at one version, by the hashes of its files.

`plugbay.lock` is a requirements file as `pip install --require-hashes` takes it, of which only
pinned requirements with hashes are allowed: options, which could name other indexes or files, are
refused. `pylock.toml` is that of PEP 751; of it, versions and hashes count, and no addresses.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from packaging.pylock import Pylock, PylockValidationError
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from plugbay.kernel import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCKS = ("plugbay.lock", "pylock.toml")
COMMAND = (
    "uv pip compile pyproject.toml --generate-hashes --no-emit-package plugbay"
    " -o src/<package>/plugbay.lock"
)
_LARGEST, _MOST = 1 << 20, 500
_HASH = re.compile(r"--hash=((?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))")
_FORM = 1
"""Raised when environments are built in another way, so that old ones are not taken for new."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One distribution at one version, with the hashes of the files that may be installed."""

    requirement: Requirement
    hashes: tuple[str, ...]

    def line(self) -> str:
        """Return it as a line of a requirements file."""
        marker = f" ; {self.requirement.marker}" if self.requirement.marker else ""
        hashes = " ".join(f"--hash={one}" for one in self.hashes)
        name = canonicalize_name(self.requirement.name)
        return f"{name}{self.requirement.specifier}{marker} {hashes}"

    @property
    def applies(self) -> bool:
        """Whether it is meant for this interpreter."""
        marker = self.requirement.marker
        return marker is None or marker.evaluate({"extra": ""})


@dataclass(frozen=True, slots=True)
class Lock:
    """What an environment is to hold. One with nothing in it is a lock, too."""

    pins: tuple[Pin, ...] = ()

    def text(self) -> str:
        """Return it as a requirements file, the same for the same content."""
        return "".join(f"{line}\n" for line in sorted(pin.line() for pin in self.pins))

    @property
    def digest(self) -> str:
        """The name of its environment: of the lock, and of the interpreter that it is for."""
        interpreter = (
            sys.implementation.cache_tag,
            sysconfig.get_platform(),
            os.path.realpath(sys.executable),
        )
        content = json.dumps([_FORM, interpreter, self.text()])
        return hashlib.sha256(content.encode()).hexdigest()

    def version_of(self, name: str) -> str:
        """Return the version at which a distribution is pinned here; empty if it is not."""
        for pin in self.pins:
            if pin.applies and canonicalize_name(pin.requirement.name) == canonicalize_name(name):
                return next(iter(pin.requirement.specifier)).version
        return ""


def read_lock(payload: Path) -> Lock:
    """Read the lock of an unpacked wheel; without one, an empty lock. Blocking.

    Raises `Invalid` with everything that is wrong with it.
    """
    found = [path for name in LOCKS for path in sorted(payload.glob(f"*/{name}"))]
    if not found:
        return Lock()
    where = ", ".join(str(path.relative_to(payload)) for path in found)
    if len(found) > 1:
        _refuse(Problem("/", "the wheel has several locks", "one", where, "keep one of them"))
    path = found[0]
    if path.stat().st_size > _LARGEST:
        found_ = f"{path.stat().st_size} bytes"
        _refuse(Problem(where, "the lock is too large", f"at most {_LARGEST} bytes", found_))
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        _refuse(Problem(where, "the lock is no text in UTF-8", "", str(error)))
    return _pylock(where, text) if path.name == "pylock.toml" else _requirements(where, text)


def _requirements(where: str, text: str) -> Lock:
    pins: list[Pin] = []
    problems: list[Problem] = []
    for number, line in _logical_lines(text):
        try:
            pins.append(_pin(line))
        except ValueError as error:
            at, expected = f"{where}:{number}", "name==version --hash=sha256:…"
            problems.append(Problem(at, str(error), expected, line[:200], f"make it by {COMMAND}"))
    return _checked(where, pins, problems)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines without comments, those that go on in the next one joined."""
    begun, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        first = first if begun else number
        if line.endswith("\\"):
            begun += line[:-1] + " "
            continue
        whole, begun = (begun + line).strip(), ""
        if whole:
            yield first, whole
    if begun.strip():
        yield first, begun.strip()


def _pin(line: str) -> Pin:
    """Read one requirement. Raises `ValueError`."""
    if line.startswith("-"):
        raise ValueError("a lock has no options: the operator says where from it is installed")
    hashes = tuple(sorted(set(_HASH.findall(line))))
    text = _HASH.sub("", line).strip()
    if "--" in text:
        raise ValueError("a lock has no options but --hash=sha256:…")
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"it is no requirement: {error}") from None
    specifiers = list(requirement.specifier)
    if requirement.url or len(specifiers) != 1 or specifiers[0].operator not in ("==", "==="):
        raise ValueError("it is not pinned to one version")
    if "*" in specifiers[0].version:
        raise ValueError("it is not pinned to one version")
    if not hashes:
        raise ValueError("it has no hash")
    return Pin(requirement, hashes)


def _pylock(where: str, text: str) -> Lock:
    try:
        lock = Pylock.from_dict(tomllib.loads(text))
        lock.validate()
    except (ValueError, PylockValidationError, RecursionError) as error:
        _refuse(Problem(where, "it is no pylock.toml (PEP 751)", "", str(error)[:200]))
    pins: list[Pin] = []
    problems: list[Problem] = []
    for package in lock.packages:
        hashes = [
            f"{kind}:{value}"
            for wheel in package.wheels or ()
            for kind, value in wheel.hashes.items()
        ]
        line = f"{package.name}=={package.version}"
        line += f" ; {package.marker}" if package.marker else ""
        try:
            pins.append(_pin(" ".join((line, *(f"--hash={one}" for one in hashes)))))
        except ValueError as error:
            problems.append(Problem(where, str(error), "a version and wheels", package.name))
    return _checked(where, pins, problems)


def _checked(where: str, pins: list[Pin], problems: list[Problem]) -> Lock:
    if any(canonicalize_name(pin.requirement.name) == "plugbay" for pin in pins):
        detail = "plugbay is not installed beside a plugin: the gateway lends it plugbay.sdk"
        problems.append(Problem(where, detail, "no line for it", "plugbay", "leave the line out"))
    if len(pins) > _MOST:
        problems.append(Problem(where, "too many dependencies", f"at most {_MOST}", str(len(pins))))
    if problems:
        _refuse(*problems)
    return Lock(tuple(pins))


def _refuse(*problems: Problem) -> NoReturn:
    raise Invalid("; ".join(f"{one.pointer}: {one.detail}" for one in problems), problems=problems)
