"""Environments are built from a local wheelhouse, whole or not at all."""

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.wheelhouse import installed_wheel, locked, pure_wheel

from plugbay.artifacts.environments import Environments, Lock, Source, read_lock
from plugbay.kernel import Invalid, Unavailable
from unit.runtimes.wheels import until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    pure_wheel(folder, "greet", "1.0", "WORD = 'one'\n")
    pure_wheel(folder, "needy", "1.0", "import greet\n", requires="greet")
    installed_wheel(folder, "httptools")
    return folder


def lock_of(folder: Path, text: str) -> Lock:
    place = folder / "plugbay_hello"
    place.mkdir(exist_ok=True)
    (place / "plugbay.lock").write_text(text)
    return read_lock(folder)


def environments(tmp_path: Path, wheelhouse: Path) -> Environments:
    made = Environments(
        tmp_path / "data", Source(find_links=(str(wheelhouse),), offline=True, seconds=60)
    )
    made.prepare()
    return made


def test_an_environment_holds_what_is_locked_and_nothing_else(
    tmp_path: Path, wheelhouse: Path
) -> None:
    wheels = [next(wheelhouse.glob(f"{name}-*")) for name in ("greet", "httptools")]
    lock, made = lock_of(tmp_path, locked(*wheels)), environments(tmp_path, wheelhouse)

    async def main() -> Path:
        first, second = await asyncio.gather(made.ensure(lock), made.ensure(lock))
        assert first == second == made.path(lock)
        return first

    path = asyncio.run(main())
    code = (
        "import greet, httptools, sys; print(greet.WORD, httptools.HttpRequestParser);"
        "import importlib.util; print(importlib.util.find_spec('msgspec'))"
    )
    python = str(path / "bin" / "python")
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "one"
    assert done.stdout.split()[-1] == "None"
    assert sorted(one.name for one in made.root.iterdir()) == [lock.digest]
    assert asyncio.run(made.collect([path])) == []
    assert asyncio.run(made.collect([])) == [lock.digest]
    assert list(made.root.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        ("missing", "missing==1.0 --hash=sha256:" + "a" * 64, "No matching distribution"),
        ("hash", "greet==1.0 --hash=sha256:" + "a" * 64, "HASHES"),
        ("needs", "", "require-hashes"),
    ],
)
def test_a_lock_that_cannot_be_had_is_a_finding(
    tmp_path: Path, wheelhouse: Path, name: str, change: str, found: str
) -> None:
    needy = next(wheelhouse.glob("needy-*"))
    lock, made = lock_of(tmp_path, change or locked(needy)), environments(tmp_path, wheelhouse)
    with pytest.raises(Invalid) as caught:
        asyncio.run(made.ensure(lock))
    (problem,) = caught.value.problems
    assert found in problem.found
    assert (problem.pointer, bool(problem.expected), bool(problem.remedy)) == (
        *("environment", True, True),
    )
    assert list(made.root.iterdir()) == []


def test_an_index_that_does_not_answer_is_not_the_wheels_fault(tmp_path: Path) -> None:
    source = Source(index="http://127.0.0.1:9/simple", seconds=60)
    made = Environments(tmp_path / "data", source)
    lock = lock_of(tmp_path, "greet==1.0 --hash=sha256:" + "a" * 64)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        asyncio.run(made.ensure(lock))
    assert list(made.root.iterdir()) == []


def test_what_a_killed_build_has_left_is_cleared_away(tmp_path: Path, wheelhouse: Path) -> None:
    made = environments(tmp_path, wheelhouse)
    (made.root / ".build-x").mkdir()
    (made.root / ".build-x" / "file").write_text("half")
    made.prepare()
    assert list(made.root.iterdir()) == []


def test_a_build_that_is_cancelled_leaves_nothing(tmp_path: Path, wheelhouse: Path) -> None:
    made = environments(tmp_path, wheelhouse)
    lock = lock_of(tmp_path, locked(next(wheelhouse.glob("httptools-*"))))

    async def main() -> None:
        building = asyncio.create_task(made.ensure(lock))
        await until(lambda: list(made.root.glob(".build-*")))
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building

    asyncio.run(main())
    assert list(made.root.iterdir()) == []
