"""The third layer: this gateway can run it."""

from __future__ import annotations

import contextlib
import platform
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name

from plugbay import __version__
from plugbay.artifacts._finding import Finding
from plugbay.artifacts._imports import ANY
from plugbay.artifacts._provided import installed, modules_of, offering, satisfied
from plugbay.artifacts._threads import in_thread
from plugbay.sdk import API, PROCESS_CAPABILITIES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from plugbay.artifacts._artifact import WheelMetadata
    from plugbay.artifacts._layer import Subject
    from plugbay.kernel import Problem

_NATIVE = (".so", ".pyd", ".dylib", ".dll")
_MOST = 100
_PROCESS = 'set runtime = "process" in plugbay.toml: it runs in an environment of its own'


class Platform:
    """The API's version, the runtime, Python's version, and nothing that is not installed here."""

    name = "platform"
    eager = False

    def __init__(self, runtimes: Collection[str] = ("python",), apis: Collection[int] = (API,)):
        self._runtimes, self._apis = runtimes, apis

    async def inspect(self, subject: Subject) -> Sequence[Problem]:
        """Compare what the wheel needs with what is here."""
        return await in_thread(lambda: list(self._findings(subject)))

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
            for finding in self._in_process(wheel, subject):
                yield replace(finding, remedy=_commanded(finding.remedy, subject.filename))
            subject.imports = frozenset(_imports(wheel.requires_dist))
        elif manifest.runtime == "process":
            yield from _tagged(wheel.tags)
            yield from _carried(manifest.provides)
            subject.imports = frozenset((ANY,))

    def _in_process(self, wheel: WheelMetadata, subject: Subject) -> Iterator[Finding]:
        yield from _pure(wheel.tags, wheel.pure)
        yield from _native(subject.files)
        yield from _foreign(wheel.requires_dist)


def _python(required: str) -> Iterator[Finding]:
    running = platform.python_version()
    try:
        # A pre-release of Python is Python, too.
        fits = SpecifierSet(required).contains(running, prereleases=True)
    except ValueError:  # InvalidSpecifier, and a number too long for Python
        yield _finding("platform", "Requires-Python is no specifier", "e.g. >=3.11", required)
        return
    if not fits:
        remedy = "run the gateway on such a Python, or widen requires-python"
        yield _finding("platform", "made for another Python", required, running, remedy)


def _pure(tags: Sequence[str], pure: bool) -> Iterator[Finding]:
    if not pure or not any(map(_runs, tags)):
        found = ", ".join(tags) + ("" if pure else ", Root-Is-Purelib: false")
        yield _finding("platform", "not a pure Python wheel", "py3-none-any", found, _PROCESS)


def _tagged(tags: Sequence[str]) -> Iterator[Finding]:
    """Whether one of the tags is of this interpreter and machine; see `_runs` for their form."""
    named = [[set(part.split(".")) for part in tag.split("-")] for tag in tags]
    for tag in sys_tags():
        here = (tag.interpreter, tag.abi, tag.platform)
        if any(len(one) == len(here) and all(map(_in, here, one)) for one in named):
            return
    running = next(sys_tags())
    expected, remedy = f"py3-none-any or {running}", "build the wheel for this Python and machine"
    yield _finding("platform", "made for another platform", expected, ", ".join(tags), remedy)


def _in(name: str, names: set[str]) -> bool:
    return name in names


def _carried(provides: Collection[str]) -> Iterator[Finding]:
    """A process of its own can have the hooks that the protocol carries."""
    for index, name in enumerate(provides):
        if name not in PROCESS_CAPABILITIES:
            yield _finding(
                f"/provides/{index}",
                f"{name} cannot run in a process of its own: the protocol has no such call",
                ", ".join(PROCESS_CAPABILITIES),
                name,
                'set runtime = "python" in plugbay.toml, or leave the capability out',
            )


def _commanded(remedy: str, filename: str) -> str:
    """Name the command by which an operator chooses a process, where that is the remedy."""
    if not remedy.endswith(_PROCESS):
        return remedy
    return f"{remedy}; or choose it here: plugbay plugin push {filename} --runtime process"


def _runs(tag: str) -> bool:
    """Whether a tag (PEP 425) names this Python, no ABI and any platform.

    A compressed tag set is not expanded: a short one may stand for millions of tags.
    """
    parts = [part.split(".") for part in tag.split("-")]
    minor = sys.version_info.minor
    running = {"py3", f"cp3{minor}", *(f"py3{n}" for n in range(minor + 1))}
    return (
        len(parts) == 3
        and not running.isdisjoint(parts[0])
        and "none" in parts[1]
        and "any" in parts[2]
    )


def _native(files: Collection[str]) -> Iterator[Finding]:
    for file in sorted(files):
        name = file.rsplit("/", 1)[-1].lower()
        if name.endswith(_NATIVE) or ".so." in name:
            detail = f"{file!r} is native code, which cannot be unloaded from the gateway"
            yield _finding("platform", detail, "Python modules only", file, _PROCESS)


def _foreign(requirements: Collection[str]) -> Iterator[Finding]:
    if len(requirements) > _MOST:
        found = f"{len(requirements)} Requires-Dist"
        yield _finding("platform", "too many dependencies", "none", found, _PROCESS)
        return
    for text in requirements:
        try:
            yield from _of_requirement(Requirement(text))
        except ValueError:  # InvalidRequirement, or a marker that cannot be evaluated
            yield _finding("platform", "an unreadable Requires-Dist", "e.g. plugbay>=0.1", text)


def _of_requirement(requirement: Requirement) -> Iterator[Finding]:
    marker = requirement.marker
    if marker is not None and not marker.evaluate({"extra": ""}):
        return
    text = str(requirement)
    if canonicalize_name(requirement.name) != "plugbay":
        if not satisfied(requirement):
            yield _lacking(requirement, text)
    elif not requirement.specifier.contains(__version__, prereleases=True):
        remedy = "upgrade the gateway, or widen the plugin's dependency"
        yield _finding("platform", "made for another Plugbay", text, __version__, remedy)


def _lacking(requirement: Requirement, text: str) -> Finding:
    """A package that the operator has not installed, or in another version."""
    here, extra = installed(requirement), offering(requirement.name)
    wanted = f"plugbay[{extra}]" if extra else text
    found = f"{requirement.name} {here}" if here else "not installed here"
    remedy = f"install it beside the gateway: pip install '{wanted}'; or {_PROCESS}"
    detail = f"the plugin has dependencies of its own: {text}"
    return _finding("platform", detail[:200], text, found, remedy)


def _imports(requirements: Collection[str]) -> Iterator[str]:
    """Yield what may be imported of the declared packages."""
    for text in requirements:
        with contextlib.suppress(ValueError):
            yield from modules_of(Requirement(text))


def _finding(
    pointer: str, detail: str, expected: str, found: str, remedy: str = "correct pyproject.toml"
) -> Finding:
    return Finding(pointer, detail, expected=expected, found=found[:200], remedy=remedy)
