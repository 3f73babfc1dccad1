"""From a plugin to the runner that can open it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from plugbay.kernel import Invalid, Problem
from plugbay.runtimes.goso._builder import NoToolchain
from plugbay.runtimes.goso._module_cache import module_cache, usable
from plugbay.runtimes.goso._preflight import mismatch, mismatches
from plugbay.runtimes.goso._recipe import BUILD, recipe_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plugbay.runtimes.goso._builder import Builder
    from plugbay.runtimes.goso._recipe import Build, Recipe

    ReadBuild = Callable[[Path], Build]


class Runners:
    """Finds, or builds, the runner for a plugin. `read` reads how a binary was built."""

    def __init__(self, builder: Builder, read: ReadBuild) -> None:
        self._builder, self._read = builder, read
        self._builds: dict[Path, Build] = {}

    async def runner_for(self, plugin: Path) -> Path:
        """Return the runner that opens the plugin.

        Raises `Invalid` if there is none: its problems name every package that differs, and the
        commands that mend it. The plugin is not loaded.
        """
        build = await asyncio.to_thread(self._read, plugin)
        try:
            recipe = await self._recipe(build, plugin)
            runner = await self._builder.build(recipe)
        except NoToolchain as error:
            return await self._nearest(build, error)
        packages = mismatches(build, await self._build_of(runner))
        if packages:
            raise _differs(build, await self._build_of(runner), packages)
        return runner

    async def close(self) -> None:
        """End the builds that go on."""
        await self._builder.close()

    async def _recipe(self, build: Build, plugin: Path) -> Recipe:
        recipe = recipe_for(build)
        if recipe.trimpath:
            return recipe
        cache = await asyncio.to_thread(module_cache, plugin)
        own, toolchain = "", self._builder.toolchain
        if toolchain is not None:
            own = await toolchain.env("GOMODCACHE", plugin.parent)
        if not cache or not usable(cache, own):
            raise _untrimmed(cache, own)
        return replace(recipe, cache=cache)

    async def _nearest(self, build: Build, error: NoToolchain) -> Path:
        """Return a runner that is there and fits by chance; else say what the nearest one needs."""
        nearest: tuple[Build, tuple[str, ...]] | None = None
        for runner in self._builder.all():
            other = await self._build_of(runner)
            packages = mismatches(build, other)
            if not packages and other.version == build.version:
                return runner
            if nearest is None or len(packages) < len(nearest[1]):
                nearest = other, packages
        if nearest is None:
            raise error
        differs = _differs(build, *nearest)
        raise Invalid(
            f"{error.detail}; {differs.detail}", problems=(*error.problems, *differs.problems)
        )

    async def _build_of(self, runner: Path) -> Build:
        if runner not in self._builds:
            self._builds[runner] = await asyncio.to_thread(self._read, runner)
        return self._builds[runner]


def _differs(plugin: Build, runner: Build, packages: tuple[str, ...]) -> Invalid:
    problem = mismatch(plugin, runner, packages)
    return Invalid(f"{problem.detail} ({problem.remedy})", problems=(problem,))


def _untrimmed(cache: str, own: str) -> Invalid:
    problem = Problem(
        "trial",
        "it was built without -trimpath, with modules in a place that is not here",
        f"-trimpath, or modules in {own or 'the module cache of this machine'}",
        cache[:300] or "no module cache, maybe a vendor directory",
        BUILD,
    )
    return Invalid(f"{problem.detail}: {BUILD}", problems=(problem,))
