"""Runners are built for a plugin, kept, and refused before anything is loaded."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts import inspect_go
from plugbay.kernel import Invalid
from plugbay.runtimes.goso import Builder, Runners
from plugbay.runtimes.goso._module_cache import module_cache, usable
from plugbay.runtimes.goso._preflight import mismatches, remedy
from plugbay.runtimes.goso._recipe import ECHO, recipe_for
from unit.runtimes.goso.binaries import BUILT, plugin, runners
from unit.runtimes.goso.running import exchange, running

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts import GoBuild

pytestmark = pytest.mark.timeout(600)  # the first run builds plugins and runners


def refused(work: Runners, payload: Path) -> Invalid:
    with pytest.raises(Invalid) as caught:
        asyncio.run(work.runner_for(payload))
    return caught.value


def test_a_plugin_for_another_echo_gets_a_runner_of_its_own() -> None:
    async def scenario() -> None:
        async with running(name="older", module="older") as instance:
            assert (await exchange(instance, "GET", "/")).request.headers["x-echo"] == "4.12.0"
        found = runners()
        older = await found.runner_for(plugin("older", module="older"))
        assert older != await found.runner_for(plugin("behave"))

    asyncio.run(scenario())


def test_a_runner_is_built_once_and_its_log_is_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        builder = Builder(tmp_path / "runners")
        recipe = recipe_for(inspect_go(plugin("behave")))
        one, two = await asyncio.gather(builder.build(recipe), builder.build(recipe))
        assert one == two == builder.find(recipe)
        assert "-trimpath" in (one.parent / "build.log").read_text()
        written = one.stat().st_mtime_ns
        other = Builder(tmp_path / "runners")
        assert await other.build(recipe) == one
        assert one.stat().st_mtime_ns == written
        left = {path.name for path in (tmp_path / "runners").iterdir()}
        assert left == {one.parent.name, f"{one.parent.name}.lock"}

    asyncio.run(scenario())


def test_a_mismatch_names_every_package_and_the_command_that_mends_it() -> None:
    async def scenario() -> None:
        runner = inspect_go(await runners().runner_for(plugin("behave")))
        other = inspect_go(plugin("older", module="older"))
        packages = mismatches(other, runner)
        assert ECHO in packages
        assert "golang.org/x/sys/unix" in packages
        assert "fmt" not in packages
        modules = [module for module in runner.deps if module.path == ECHO]
        assert remedy(runner, modules) == (
            f"GOTOOLCHAIN={runner.version} go get {ECHO}@v4.13.4 && "
            f"GOTOOLCHAIN={runner.version} go build -trimpath -buildmode=plugin -o plugin.so ."
        )

    asyncio.run(scenario())


def test_without_go_a_fitting_runner_is_used_and_any_other_refused(tmp_path: Path) -> None:
    folder = tmp_path / "runners"
    without = Runners(Builder(folder, toolchain=None), inspect_go)
    error = refused(without, plugin("behave"))
    assert "there is no Go here" in error.detail
    builder = Builder(folder)
    built = asyncio.run(builder.build(recipe_for(inspect_go(plugin("behave")))))
    renamed = built.parent.rename(folder / "of-another-source") / "runner"
    assert asyncio.run(without.runner_for(plugin("typed"))) == renamed
    missing, differs = refused(without, plugin("older", module="older")).problems
    assert missing.found == "none"
    assert f"{ECHO}, " in differs.detail
    assert f"{ECHO} v4.13.4" in differs.expected
    assert f"{ECHO} v4.12.0" in differs.found
    assert f"go get {ECHO}@v4.13.4" in differs.remedy


def test_a_version_of_go_that_cannot_be_had_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "off")

    async def scenario() -> None:
        builder = Builder(tmp_path)
        recipe = replace(recipe_for(inspect_go(plugin("behave"))), go="go1.99.1")
        with pytest.raises(Invalid) as caught:
            await builder.build(recipe)
        (problem,) = caught.value.problems
        assert "go1.99.1 cannot be had here, only go1." in problem.detail

    asyncio.run(scenario())
    assert list(tmp_path.glob("*.log"))


def test_changed_modules_are_not_built(tmp_path: Path) -> None:
    recipe = recipe_for(inspect_go(plugin("behave")))
    pins = tuple(
        replace(pin, sum="h1:" + "A" * 43 + "=") if pin.path == ECHO else pin for pin in recipe.pins
    )
    with pytest.raises(Invalid, match=r"checksum mismatch|SECURITY ERROR"):
        asyncio.run(Builder(tmp_path).build(replace(recipe, pins=pins)))


def test_a_build_has_a_deadline(tmp_path: Path) -> None:
    recipe = recipe_for(inspect_go(plugin("behave")))
    with pytest.raises(Invalid, match=r"go build took longer than 0\.01 s"):
        asyncio.run(Builder(tmp_path, seconds=0.01).build(recipe))
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".lock", ".log"]


def untrimmed(path: Path) -> GoBuild:
    build = inspect_go(plugin("behave"))
    return replace(build, settings={**build.settings, "-trimpath": "false"})


def test_without_trimpath_the_modules_must_lie_in_the_same_place(tmp_path: Path) -> None:
    payload = tmp_path / "moved.so"
    payload.write_bytes(b"\0\0/nowhere/pkg/mod/" + ECHO.encode() + b"@v4.13.4/echo.go\0")
    (problem,) = refused(Runners(Builder(BUILT / "runners"), untrimmed), payload).problems
    assert problem.found == "/nowhere/pkg/mod"
    assert "go build -trimpath" in problem.remedy
    payload.write_bytes(b"\0/srv/work/vendor/" + ECHO.encode() + b"/echo.go\0")
    (problem,) = refused(Runners(Builder(BUILT / "runners"), untrimmed), payload).problems
    assert "vendor" in problem.found


def test_a_module_cache_of_an_upload_is_used_only_if_it_is_there(tmp_path: Path) -> None:
    payload = tmp_path / "plugin.so"
    payload.write_bytes(f"\0{tmp_path}/mod/{ECHO}@v4.13.4/echo.go\0".encode())
    cache = module_cache(payload)
    assert cache == f"{tmp_path}/mod"
    assert not usable(cache, "/root/go/pkg/mod")
    assert usable(cache, cache)
    (tmp_path / "mod" / "cache" / "download").mkdir(parents=True)
    assert usable(cache, "/root/go/pkg/mod")
    recipe = replace(recipe_for(untrimmed(payload)), cache=cache)
    assert recipe.flags() == []
    assert recipe.key("source") != replace(recipe, cache="/other").key("source")
    payload.write_bytes(f"\0/a/../b/{ECHO}@v4.13.4/echo.go\0".encode())
    assert module_cache(payload) == ""
