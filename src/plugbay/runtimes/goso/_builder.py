"""Builds runners, each once, and keeps them: `<data>/runners/<key>/runner`."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid, Problem
from plugbay.runtimes.goso._source import runner_source
from plugbay.runtimes.goso._toolchain import Toolchain

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.runtimes.goso._recipe import Recipe
    from plugbay.runtimes.goso._source import Source

PROGRAM, LOG = "runner", "build.log"
_TOLD = 12
"""Lines of a failed build that are shown; all of them are in its log."""


class NoToolchain(Invalid):
    """There is no Go here, or not the one that is needed and none to be had."""


@dataclass(slots=True)
class Builder:
    """Builds runners into a folder. Those who ask for the same one wait for the same build."""

    folder: Path
    toolchain: Toolchain | None = field(default_factory=Toolchain.find)
    seconds: float = 600.0
    source: Source = field(default_factory=runner_source)
    _building: dict[str, asyncio.Task[Path]] = field(
        default_factory=dict[str, "asyncio.Task[Path]"]
    )

    def find(self, recipe: Recipe) -> Path | None:
        """Return the runner, if it was built before."""
        path = self.folder / recipe.key(self.source.digest) / PROGRAM
        return path if path.is_file() else None

    def all(self) -> list[Path]:
        """Return every runner that was built before, whatever for."""
        return sorted(self.folder.glob(f"*/{PROGRAM}"))

    async def build(self, recipe: Recipe) -> Path:
        """Return the runner; build it if it is not there.

        Raises `Invalid` if it cannot be built, `NoToolchain` if there is no fitting Go. A build
        goes on when its waiters have gone: the next one to ask will find it.
        """
        found = self.find(recipe)
        if found is not None:
            return found
        key = recipe.key(self.source.digest)
        task = self._building.get(key)
        if task is None:
            task = asyncio.create_task(self._build(recipe, key), name=f"build runner {key}")
            self._building[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the builds that go on."""
        tasks = tuple(self._building.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _ended(self, key: str, task: asyncio.Task[Path]) -> None:
        self._building.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen: those who waited for it were told

    async def _build(self, recipe: Recipe, key: str) -> Path:
        if self.toolchain is None:
            raise _no_toolchain("there is no Go here", recipe)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.folder / f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:  # another worker may be building the same
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            found = self.find(recipe)
            return await self._make(recipe, key, self.toolchain) if found is None else found
        finally:
            os.close(lock)

    async def _make(self, recipe: Recipe, key: str, toolchain: Toolchain) -> Path:
        work = self._lay_out(recipe)
        try:
            local = await toolchain.env("GOVERSION", work)
            also = dict(recipe.levels)
            also["GOTOOLCHAIN"] = "local" if local == recipe.go else recipe.go
            if recipe.cache:
                also["GOMODCACHE"] = recipe.cache
            arguments = ["build", *recipe.flags(), "-o", PROGRAM, "."]
            ran = await toolchain.run(arguments, work, also, self.seconds)
            (work / LOG).write_text(f"{also} go {' '.join(arguments)}\n{ran.output}")
            if ran.code != 0:
                shutil.copy(work / LOG, self.folder / f"{key}.log")
                raise _failed(ran.output, recipe, local)
            return self._keep(work, key)
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    def _lay_out(self, recipe: Recipe) -> Path:
        from pathlib import Path

        work = Path(tempfile.mkdtemp(prefix=".build-", dir=self.folder))
        self.source.write(work)
        (work / "go.mod").write_text(recipe.go_mod())
        (work / "go.sum").write_text(recipe.go_sum())
        return work

    def _keep(self, work: Path, key: str) -> Path:
        """Put the runner in its place, in one step."""
        ready = work / "ready"
        ready.mkdir(mode=0o700)
        for name in (PROGRAM, LOG, "go.mod", "go.sum"):
            (work / name).rename(ready / name)
        (ready / PROGRAM).chmod(0o500)
        ready.rename(self.folder / key)
        (self.folder / f"{key}.log").unlink(missing_ok=True)
        return self.folder / key / PROGRAM


def _failed(output: str, recipe: Recipe, local: str) -> Invalid:
    told = "\n".join(output.strip().splitlines()[-_TOLD:])
    if "toolchain" in output and recipe.go != local:
        return _no_toolchain(
            f"{recipe.go} cannot be had here, only {local or 'none'}", recipe, told
        )
    remedy = ""
    if "cgo" in output or "gcc" in output:
        remedy = "install a C compiler (gcc) on the gateway's machine: opening plugins needs cgo"
    elif "checksum mismatch" in output:
        remedy = "build the plugin with unchanged modules: go clean -modcache, then build it again"
    problem = Problem("trial", "no runner can be built for it", recipe.go, told[-1500:], remedy)
    return Invalid(f"no runner can be built for it: {told[-600:]}", problems=(problem,))


def _no_toolchain(detail: str, recipe: Recipe, found: str = "") -> NoToolchain:
    remedy = (
        f"install {recipe.go} on the gateway's machine, or let Go fetch it (GOPROXY); or build the "
        "plugin for a runner that is there"
    )
    problem = Problem("trial", detail, recipe.go, found or "none", remedy)
    return NoToolchain(f"{detail}: {remedy}", problems=(problem,))
