"""The layer `go`: how Go built the binary, and whether that fits here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts._binary._finding import finding, unreadable
from plugbay.artifacts._binary._host import Host
from plugbay.artifacts._native._build_info import read_go_build
from plugbay.artifacts._native._elf import ElfError
from plugbay.artifacts._native._inspect import mapped
from plugbay.artifacts._threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from plugbay.artifacts._go_build import GoBuild
    from plugbay.artifacts._layer import Subject
    from plugbay.kernel import Problem

    Versions = Callable[[], Collection[str]]

_OLDEST = (1, 18)
_MODES = {"shared-object": ("plugin",), "executable": ("exe", "pie", "default")}
_GO_PLUGIN = "github.com/hashicorp/go-plugin"
_DIALECTS = ("km", "hkp")


class GoInfo:
    """Version, system, processor and build mode. A program need not be Go's; a plugin must.

    `versions` returns those of Go that the operator lets shared objects be built with; without
    it any will do, and the trial finds out whether there is a runner.
    """

    name = "go"
    eager = True

    def __init__(self, host: Host | None = None, versions: Versions | None = None) -> None:
        self._host, self._versions = host or Host.here(), versions

    async def inspect(self, subject: Subject) -> Sequence[Problem] | None:
        """Read the build information and keep it in the subject."""
        if subject.elf is None:
            return None
        return await in_thread(lambda: list(self._findings(subject)))

    def _findings(self, subject: Subject) -> Iterator[Problem]:
        again = f"build it by: {self._host.build(subject.kind, subject.filename)}"
        assert subject.elf is not None  # noqa: S101 - for type checkers
        try:
            with mapped(subject.path) as data:
                build = read_go_build(data, subject.elf)
        except ElfError as error:
            yield unreadable(self.name, error, again)
            return
        if build is None:
            yield _foreign(subject, again)
            return
        subject.go = build
        yield from self._of_version(subject, build)
        yield from self._of_target(subject, build, again)
        if subject.kind == "shared-object" and not build.trimpath:
            yield finding(
                self.name,
                "built without -trimpath: it opens only where the modules lie in the same folders",
                expected="-trimpath",
                found="none",
                remedy=again,
                severity="warning",
            )

    def _of_version(self, subject: Subject, build: GoBuild) -> Iterator[Problem]:
        release = build.release
        if release is not None and release < _OLDEST:
            expected = ".".join(map(str, _OLDEST)) + " or newer"
            yield finding(self.name, "an old version of Go", expected=expected, found=build.version)
        elif subject.kind == "shared-object" and self._versions is not None:
            known = sorted(self._versions())
            if build.version not in known:
                best = known[-1] if known else ""
                command = self._host.build(subject.kind, subject.filename, version=best)
                yield finding(
                    self.name,
                    "built by a version of Go that this gateway does not take",
                    expected=", ".join(known),
                    found=build.version,
                    remedy=f"build it by: {command}",
                )

    def _of_target(self, subject: Subject, build: GoBuild, again: str) -> Iterator[Problem]:
        modes = _MODES[subject.kind]
        for what, expected, found in (
            ("for another system", ("linux",), build.os),
            ("for another processor", (self._host.arch,), build.arch),
            ("in another way", modes, build.buildmode),
        ):
            if found and found not in expected:
                yield finding(
                    self.name,
                    f"built {what}",
                    expected=_said(what, expected[0]),
                    found=_said(what, found),
                    remedy=again,
                )
        if subject.kind == "executable":
            yield from _of_dialect(subject, build)


def _said(what: str, value: str) -> str:
    names = {"for another system": "GOOS", "for another processor": "GOARCH"}
    return f"{names.get(what, '-buildmode')}={value}"


def _foreign(subject: Subject, again: str) -> Problem:
    if subject.kind == "executable":
        return finding(
            GoInfo.name,
            "not made by Go: any program that speaks the plugin protocol will do",
            found="no Go build information",
            remedy="nothing to mend",
            severity="info",
        )
    return finding(
        GoInfo.name,
        "no Go plugin",
        expected="Go's build information in .go.buildinfo",
        found="none",
        remedy=again,
    )


def _of_dialect(subject: Subject, build: GoBuild) -> Iterator[Problem]:
    """A hint: a dialect of go-plugin that is spoken without go-plugin."""
    dialect = subject.manifest.entry if subject.manifest is not None else ""
    modules = {dep.path for dep in build.deps} | {build.module.path if build.module else ""}
    if dialect in _DIALECTS and _GO_PLUGIN not in modules:
        yield finding(
            GoInfo.name,
            f"the dialect {dialect} is go-plugin's, but the program does not use it",
            expected=_GO_PLUGIN,
            found="not among its modules",
            remedy="correct entry in plugbay.toml, or serve by go-plugin",
            severity="warning",
        )
