"""What a runner must be built from, so that it can open a given plugin.

Go compares every package that a plugin and its host have in common: the compiler's version, the
flags, and each module's version must be the same. What a plugin says of its build comes from an
upload, so nothing of it reaches a command line or a file before it was checked here.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from plugbay.kernel import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ECHO = "github.com/labstack/echo/v4"
CLOSURE = frozenset(
    (
        ECHO,
        "github.com/labstack/gommon",
        "github.com/mattn/go-colorable",
        "github.com/mattn/go-isatty",
        "github.com/valyala/bytebufferpool",
        "github.com/valyala/fasttemplate",
        "golang.org/x/crypto",
        "golang.org/x/net",
        "golang.org/x/sys",
        "golang.org/x/text",
    )
)
"""The modules that a runner has packages of; a plugin may have any other in any version."""
OLDEST = (1, 21)
BUILD = "go build -trimpath -buildmode=plugin -o plugin.so ."

_VERSION = re.compile(r"go1\.(\d{1,3})(\.\d{1,3}|rc\d{1,2}|beta\d{1,2})?").fullmatch
_MODULE = re.compile(r"[a-z0-9][A-Za-z0-9._~/-]{0,200}").fullmatch
_RELEASE = re.compile(r"v\d+\.\d+\.\d+[0-9A-Za-z.+-]{0,100}").fullmatch
_SUM = re.compile(r"h1:[A-Za-z0-9+/]{43}=").fullmatch
_TAGS = re.compile(r"[A-Za-z0-9_.,]{0,200}").fullmatch
_LEVEL = re.compile(r"[a-z0-9.,_]{0,40}").fullmatch
_LEVELS = ("GOAMD64", "GOARM64", "GOPPC64", "GORISCV64", "GOEXPERIMENT")
_UNKNOWN = ("-msan", "-asan", "-cover", "-gcflags", "-asmflags", "-compiler", "-pgo")


class Module(Protocol):
    """A module of a plugin's build."""

    @property
    def path(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def sum(self) -> str: ...
    @property
    def replaced(self) -> Module | None: ...


class Build(Protocol):
    """How a binary was built; `packages` maps each package to the hash that Go compares."""

    @property
    def version(self) -> str: ...
    @property
    def deps(self) -> Sequence[Module]: ...
    @property
    def settings(self) -> Mapping[str, str]: ...
    @property
    def packages(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Pin:
    """A module in exactly this version; `instead` is the module that replaces it, if any."""

    path: str
    version: str
    sum: str
    instead: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides what a runner is. `cache` is the module cache's path, which is part of a
    package's hash without -trimpath."""

    go: str
    pins: tuple[Pin, ...]
    trimpath: bool = True
    race: bool = False
    tags: str = ""
    levels: tuple[tuple[str, str], ...] = ()
    cache: str = ""

    def key(self, source: str) -> str:
        """Return the name of the runner that it makes of a source with this digest."""
        return hashlib.sha256(f"{source}\n{self!r}".encode()).hexdigest()[:32]

    def go_mod(self) -> str:
        """Return the go.mod of the runner."""
        lines = ["module plugbay.dev/goso", "", f"go {'.'.join(self.go[2:].split('.')[:2])}", ""]
        lines += [f"require {pin.path} {_bare(pin)}" for pin in self.pins]
        lines += [
            f"replace {pin.path} => {pin.instead} {pin.version}" for pin in self.pins if pin.instead
        ]
        return "\n".join(lines) + "\n"

    def go_sum(self) -> str:
        """Return the go.sum: the modules must be the ones that the plugin was built with."""
        return "".join(
            f"{pin.instead or pin.path} {pin.version} {pin.sum}\n" for pin in self.pins if pin.sum
        )

    def flags(self) -> list[str]:
        """Return the flags of `go build`."""
        flags = ["-trimpath"] if self.trimpath else []
        if self.race:
            flags.append("-race")
        return [*flags, f"-tags={self.tags}"] if self.tags else flags


def recipe_for(build: Build) -> Recipe:
    """Return the recipe of the runner that can open a plugin. Raises `Invalid` if none can."""
    problems: list[Problem] = []
    settings = build.settings
    version = _VERSION(build.version)
    if version is None or (1, int(version[1])) < OLDEST:
        wanted = f"a release of Go from {OLDEST[0]}.{OLDEST[1]} on"
        problems.append(_problem("it was built by a Go for which no runner can be built",
                                 wanted, build.version, BUILD))  # fmt: skip
    pins = tuple(_pin(module, problems) for module in build.deps if module.path in CLOSURE)
    if not any(pin.path == ECHO for pin in pins):
        problems.append(
            _problem(
                "it does not use Echo, of which its middleware must be made",
                ECHO,
                ", ".join(module.path for module in build.deps)[:300] or "no module",
                f"write Handle(next echo.HandlerFunc) echo.HandlerFunc with {ECHO}",
            )
        )
    if unknown := [f"{flag}={settings[flag]}" for flag in _UNKNOWN if _is_set(settings, flag)]:
        problems.append(
            _problem(
                "it was built with flags that no runner has", "none", ", ".join(unknown), BUILD
            )
        )
    tags = settings.get("-tags", "")
    levels = tuple((name, settings[name]) for name in _LEVELS if settings.get(name))
    if not _TAGS(tags) or not all(_LEVEL(value) for _, value in levels):
        problems.append(_problem("its build tags cannot be read", "names", tags[:100], BUILD))
    if problems:
        raise Invalid("; ".join(p.detail for p in problems), problems=tuple(problems))
    return Recipe(
        go=build.version,
        pins=tuple(sorted(pins, key=lambda pin: pin.path)),
        trimpath=settings.get("-trimpath") == "true",
        race=settings.get("-race") == "true",
        tags=tags,
        levels=levels,
    )


def _pin(module: Module, problems: list[Problem]) -> Pin:
    used = module.replaced or module
    instead = "" if module.replaced is None or used.path == module.path else used.path
    fits = _MODULE(used.path) and ".." not in used.path and _RELEASE(used.version)
    if not fits or (used.sum and not _SUM(used.sum)):
        problems.append(
            _problem(
                f"it was built with a {module.path} that cannot be had elsewhere",
                "a version of the module",
                f"{used.path} {used.version}".strip()[:200],
                f"remove the `replace` of {module.path} from its go.mod",
            )
        )
    return Pin(module.path, used.version, used.sum, instead)


def _bare(pin: Pin) -> str:
    """Return a version that may stand in `require`: a replaced one only has to be well-formed."""
    major = re.search(r"/v(\d+)$", pin.path)
    return pin.version if not pin.instead else f"v{major[1] if major else 0}.0.0"


def _is_set(settings: Mapping[str, str], flag: str) -> bool:
    return settings.get(flag, "") not in ("", "false", "gc")


def _problem(detail: str, expected: str, found: str, remedy: str) -> Problem:
    return Problem("trial", detail, expected, found, remedy)
