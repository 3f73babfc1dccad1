"""The third layer: this gateway can run it."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import parse_tag, sys_tags

from plugbay.artifacts._artifact import Finding
from plugbay.sdk import API

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from packaging.tags import Tag

    from plugbay.artifacts._layer import Subject
    from plugbay.kernel import Problem

_NATIVE = (".so", ".pyd", ".dylib", ".dll")
_PROCESS = 'set runtime = "process" in plugbay.toml: it runs in an environment of its own'


class Platform:
    """The API's version, the runtime, Python's version, and nothing that must be installed."""

    name = "platform"

    def __init__(self, runtimes: Collection[str] = ("python",), apis: Collection[int] = (API,)):
        self._runtimes, self._apis = runtimes, apis

    async def inspect(self, subject: Subject) -> Sequence[Problem]:
        """Compare what the wheel needs with what is here."""
        return list(self._findings(subject))

    def _findings(self, subject: Subject) -> Iterator[Finding]:
        manifest, wheel = subject.declared(), subject.wheel()
        if manifest.api not in self._apis:
            supported = ", ".join(map(str, sorted(self._apis)))
            remedy = "build it with this gateway's plugbay.sdk, or upgrade the gateway"
            yield _finding("/api", "unknown API version", supported, str(manifest.api), remedy)
        if manifest.runtime not in self._runtimes:
            available = ", ".join(sorted(self._runtimes))
            remedy = "choose one of them, or switch the runtime on"
            yield _finding("/runtime", "not available here", available, manifest.runtime, remedy)
        yield from _python(wheel.requires_python)
        if manifest.runtime == "python":
            yield from _pure(wheel.tags, wheel.pure)
            yield from _native(subject.files)
            yield from _foreign(wheel.requires_dist)


def _python(required: str) -> Iterator[Finding]:
    running = platform.python_version()
    try:
        # A pre-release of Python is Python, too.
        fits = SpecifierSet(required).contains(running, prereleases=True)
    except InvalidSpecifier:
        yield _finding("platform", "Requires-Python is no specifier", "e.g. >=3.11", required)
        return
    if not fits:
        remedy = "run the gateway on such a Python, or widen requires-python"
        yield _finding("platform", "made for another Python", required, running, remedy)


def _pure(tags: Sequence[str], pure: bool) -> Iterator[Finding]:
    if not pure or not any(_runs(tag) for text in tags for tag in _parsed(text)):
        found = ", ".join(tags) + ("" if pure else ", Root-Is-Purelib: false")
        yield _finding("platform", "not a pure Python wheel", "py3-none-any", found, _PROCESS)


def _parsed(text: str) -> Collection[Tag]:
    try:
        return parse_tag(text)
    except ValueError:
        return ()


def _runs(tag: Tag) -> bool:
    return (tag.abi, tag.platform) == ("none", "any") and tag in frozenset(sys_tags())


def _native(files: Collection[str]) -> Iterator[Finding]:
    for file in sorted(files):
        name = file.rsplit("/", 1)[-1].lower()
        if name.endswith(_NATIVE) or ".so." in name:
            detail = f"{file!r} is native code, which cannot be unloaded from the gateway"
            yield _finding("platform", detail, "Python modules only", file, _PROCESS)


def _foreign(requirements: Collection[str]) -> Iterator[Finding]:
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            yield _finding("platform", "an unreadable Requires-Dist", "e.g. plugbay>=0.1", text)
            continue
        marker = requirement.marker
        if requirement.name == "plugbay" or (marker and not marker.evaluate({"extra": ""})):
            continue
        detail = "the plugin has dependencies of its own"
        yield _finding("platform", detail, "none but plugbay", text, _PROCESS)


def _finding(
    pointer: str, detail: str, expected: str, found: str, remedy: str = "correct pyproject.toml"
) -> Finding:
    return Finding(pointer, detail, expected=expected, found=found[:200], remedy=remedy)
