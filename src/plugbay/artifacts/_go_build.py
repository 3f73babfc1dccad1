"""What a Go binary says of how it was built."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class GoModule:
    """One module of a build. `sum` is its `h1:` hash as in go.sum; empty for the main module and
    for a directory. `replaced` is what `replace` in go.mod put in its place."""

    path: str
    version: str = ""
    sum: str = ""
    replaced: GoModule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoBuild:
    """How a binary was built, as the Go linker wrote it into the file.

    `version` is Go's own (`go1.26.6`); `path` is the main package's import path, or
    `command-line-arguments` if it was built from single files. `settings` are those of the build
    (`-buildmode`, `-trimpath`, `CGO_ENABLED`, `GOOS`, …). `packages` maps each package to the hash,
    in hex, that the linker compares when a plugin is opened; only plugins, and programs that can
    open them, have it. `prefix` is what the symbols of the plugin's main package begin with.
    """

    version: str
    path: str
    module: GoModule | None = None
    deps: tuple[GoModule, ...] = ()
    settings: dict[str, str] = field(default_factory=dict[str, str])
    packages: dict[str, str] = field(default_factory=dict[str, str])
    prefix: str = ""

    @property
    def os(self) -> str:
        """The operating system it was built for, as GOOS names it."""
        return self.settings.get("GOOS", "")

    @property
    def arch(self) -> str:
        """The processor it was built for, as GOARCH names it."""
        return self.settings.get("GOARCH", "")

    @property
    def buildmode(self) -> str:
        """`exe`, `pie`, `plugin`, `c-shared` …; Go leaves it out for `exe` in places."""
        return self.settings.get("-buildmode", "exe")

    @property
    def cgo(self) -> bool:
        """Whether cgo was on: what opens plugins needs it."""
        return self.settings.get("CGO_ENABLED") == "1"

    @property
    def trimpath(self) -> bool:
        """Whether the builder's own paths were left out: both sides must agree on it."""
        return self.settings.get("-trimpath") == "true"

    @property
    def race(self) -> bool:
        """Whether the race detector is built in: both sides must agree on it."""
        return self.settings.get("-race") == "true"

    @property
    def tags(self) -> str:
        """The build tags, with commas."""
        return self.settings.get("-tags", "")

    @property
    def release(self) -> tuple[int, int] | None:
        """Major and minor of the Go version; None for a development version."""
        major, dot, rest = self.version.removeprefix("go").partition(".")
        minor = ""
        for character in rest:
            if not character.isascii() or not character.isdigit():
                break
            minor += character
        if not dot or not (major.isascii() and major.isdigit()) or not minor:
            return None
        return int(major[:9]), int(minor[:9])
