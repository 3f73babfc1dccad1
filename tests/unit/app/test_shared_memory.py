"""Memory that workers share: the same bytes, a number each, and nobody else's directory."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from plugbay.app import _shared_memory
from plugbay.app._shared_memory import SharedBlocks, places, remove_shared
from plugbay.sdk import HostUnavailable

if TYPE_CHECKING:
    from pathlib import Path

CHILD = """
import sys
from pathlib import Path
from plugbay.app._shared_memory import SharedBlocks
block = SharedBlocks(Path(sys.argv[1]), 2).take("p", "gcra", 64)
block.view[0] += 1
print(block.index, block.members, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_shared_memory, "MEMORY", tmp_path / "shm")
    (tmp_path / "shm").mkdir()
    (tmp_path / "data" / "run").mkdir(parents=True)
    return tmp_path / "data"


def test_workers_see_the_same_bytes_and_have_numbers_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    children: list[subprocess.Popen[str]] = []

    def start() -> str:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        assert child.stdout is not None
        return child.stdout.readline()

    try:
        assert [start(), start()] == ["0 2\n", "1 2\n"]
        children[0].kill()
        children[0].wait()
        assert start() == "0 2\n"  # the number of the one that was killed
        with pytest.raises(HostUnavailable, match="2 workers share"):
            SharedBlocks(tmp_path, 2).take("p", "gcra", 64)
        assert (places(tmp_path)[0] / "p.gcra.64").read_bytes()[0] == 3
    finally:
        for child in children:
            child.kill()
            child.communicate()
        remove_shared(tmp_path)
    assert not any(place.exists() for place in places(tmp_path))


def test_a_block_outlives_who_asked_and_has_room_for_each_member(data: Path) -> None:
    blocks = SharedBlocks(data, 3)
    first = blocks.take("p", "a", 8, 4)
    assert (len(first.view), first.index, first.members) == (20, 0, 3)
    first.view[:3] = b"abc"
    assert blocks.take("p", "a", 8, 4).view[:3] == b"abc"
    assert blocks.take("q", "a", 8, 4).view[:3] == bytes(3)


@pytest.mark.parametrize(
    ("name", "size"), [("", 8), ("../a", 8), ("A", 8), ("a", 0), ("a", 1 << 40)]
)
def test_names_and_sizes_are_checked(data: Path, name: str, size: int) -> None:
    with pytest.raises(ValueError, match="no name or size"):
        SharedBlocks(data, 1).take("p", name, size)


def test_a_directory_that_others_can_read_is_not_used(data: Path) -> None:
    best, second = places(data)
    best.mkdir(mode=0o777)
    best.chmod(0o777)
    SharedBlocks(data, 1).take("p", "a", 8)
    assert list(best.iterdir()) == []
    assert (second / "p.a.8").exists()
    remove_shared(data)
    assert best.exists()
    assert not second.exists()


def test_without_room_it_says_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, offset: int, length: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(HostUnavailable, match="no room for 8 bytes"):
        SharedBlocks(data, 1).take("p", "a", 8)
    assert not (places(data)[0] / "p.a.8").exists()
