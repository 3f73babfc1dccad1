"""A runner's process: started, connected to, told which plugin to open, ended."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from plugbay.kernel import Invalid, Problem
from plugbay.runtimes.goso._call import RunnerGone
from plugbay.runtimes.goso._connection import Connection
from plugbay.runtimes.goso._within import within
from plugbay.runtimes.process._output import Output
from plugbay.runtimes.process._process import Child, Command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plugbay.isolation import Sandbox
    from plugbay.runtimes.process._folder import Folder

    Log = Callable[[int, str, dict[str, Any]], None]

COOKIE = ("PLUGBAY_RUNNER", "goso")
_FIRST_LINE = 5.0
_DOING = {
    "": "before it was opened",
    "open": "while it was opened: in the initialisation of its packages",
    "new": "in its constructor",
    "initialize": "in Initialize",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """What a runner is to open."""

    file: Path
    symbol: str
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Runner:
    """A running runner with its plugin in it. `stop` it in any case."""

    def __init__(self, child: Child, connection: Connection) -> None:
        self.child, self.connection = child, connection
        self.facts: dict[str, Any] = {}
        """How the plugin is declared: `symbol`, `declared`, `type`, `go`."""

    @classmethod
    async def start(
        cls,
        program: Path,
        plugin: Plugin,
        folder: Folder,
        log: Log,
        *,
        sandbox: Sandbox,
        seconds: float,
    ) -> Self:
        """Start a runner and let it open the plugin.

        Raises `Invalid` if the plugin is at fault, `Unavailable` if no process can be started.
        Then nothing is left of it.
        """
        sockets = folder.sockets()
        if sandbox.user:  # who may not enter the directories in which they are
            program, plugin = await asyncio.to_thread(_copy, program, plugin, folder)
        sandbox = replace(sandbox, read=(*sandbox.read, str(plugin.file.absolute())))
        child = await Child.start(
            _command(program, sockets, sandbox),
            Output(log, level=logging.INFO, stream="stdout"),
            Output(log, level=logging.WARNING, stream="stderr"),
        )
        runner: Self | None = None
        try:
            for note in child.notes:
                log(logging.WARNING, note, {})
            runner = cls(child, await _connect(child, sockets))
            await runner._open(plugin, seconds)
        except BaseException:
            if runner is not None:
                runner.connection.close()
            await child.kill()
            raise
        return runner

    @property
    def pid(self) -> int:
        """The process id."""
        return self.child.pid

    async def stop(self, *, grace: float = 2.0) -> None:
        """Close the connection, by which it ends; kill it if it does not."""
        self.connection.close()
        try:
            await asyncio.wait((self.child.ended,), timeout=grace)
        finally:
            await self.child.kill()

    async def _open(self, plugin: Plugin, seconds: float) -> None:
        opening = self.connection.open(str(plugin.file.absolute()), plugin.symbol, plugin.config)
        try:
            facts = await within(seconds, opening)
        except TimeoutError:
            raise _late(self.connection.stage, seconds) from None
        except RunnerGone:
            await self.child.gone()
            raise _ended(self.connection.stage, self.child) from None
        if "detail" in facts:
            raise _refused(str(facts.get("stage", "")), str(facts["detail"]), self.child.said())
        self.facts = facts


def _copy(program: Path, plugin: Plugin, folder: Folder) -> tuple[Path, Plugin]:
    """Copy both to where another user can read them, unless that was done."""
    runner, opened = Path(folder.path, "plugin"), Path(folder.path, "plugin.so")
    if not runner.exists():
        folder.copy(program, "")
        folder.copy(plugin.file, "", "plugin.so")
    return runner, replace(plugin, file=opened)


def _command(program: Path, sockets: str, sandbox: Sandbox) -> Command:
    environment = {
        "PATH": os.defpath,
        "HOME": sockets,
        "TMPDIR": sockets,
        "LANG": "C.UTF-8",
        COOKIE[0]: COOKIE[1],
        "PLUGIN_UNIX_SOCKET_DIR": sockets,
    }
    return Command(
        program=str(program), environment=environment, directory=sockets, sandbox=sandbox
    )


async def _connect(child: Child, sockets: str) -> Connection:
    await asyncio.wait(
        (child.first_line, child.ended),
        timeout=_FIRST_LINE,
        return_when=asyncio.FIRST_COMPLETED,
    )
    path = f"{sockets}/runner.sock"
    said = child.first_line.result().decode("utf-8", "replace") if child.first_line.done() else ""
    if said != f"1|1|unix|{path}|frame|":
        why = child.why() if child.ended.done() else f"it said {said[:200]!r}"
        raise Invalid(f"the runner does not start: {why}")
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_unix_connection(Connection, path)
    return connection


def _late(stage: str, seconds: float) -> Invalid:
    doing = _DOING.get(stage, f"in {stage}")
    return _invalid(
        f"it did not come to an end {doing}",
        f"at most {seconds:g} s",
        "it still ran",
        "start what takes long in a goroutine, and wait for nothing without a time limit",
    )


def _ended(stage: str, child: Child) -> Invalid:
    doing = _DOING.get(stage, f"in {stage}")
    why = child.why()
    remedy = "a panic in init, or os.Exit, ends the whole process: return an error from New instead"
    if "no plugin module data" in child.said():
        remedy = (
            "it was built by another version of Go than it says, or with -buildmode=c-shared: "
            "build it with `go build -trimpath -buildmode=plugin`"
        )
    return _invalid(f"its process ended {doing}", "it goes on", why, remedy)


def _refused(stage: str, detail: str, said: str) -> Invalid:
    doing = _DOING.get(stage, f"in {stage}")
    if detail.startswith("panic: "):
        found = f"{detail} {_place(said)}".strip()
        return _invalid(f"it panicked {doing}", "no panic", found, "return an error instead")
    if stage in ("new", "initialize") and ": " in detail:
        return _invalid(detail, "no error", detail, "see that it takes the configuration")
    remedy = (
        "export func New(config map[string]interface{}) (T, error), or a variable Middleware; its "
        "type has Handle(next echo.HandlerFunc) echo.HandlerFunc"
    )
    return _invalid(detail, "a middleware for Echo", detail, remedy)


def _place(said: str) -> str:
    """Return where a panic was, as its stack tells: the first place behind `panic` itself."""
    lines = iter(said.splitlines())
    for line in lines:
        if line.startswith("panic("):
            break
    places = (line.strip() for line in lines if ".go:" in line)
    return next((place for place in places if not place.startswith("runtime/")), "")


def _invalid(detail: str, expected: str, found: str, remedy: str) -> Invalid:
    problem = Problem("trial", detail, expected, found[:500], remedy)
    said = f"{detail}: {found}" if found != detail else detail
    return Invalid(said[:700], problems=(problem,))
