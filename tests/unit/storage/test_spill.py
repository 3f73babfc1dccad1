"""Bytes that gather, in memory and then in a file."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from plugbay.storage import Spill
from plugbay.storage._spill import LARGE, SLICE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PART = bytes(range(256)) * 1000


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


def filled(parts: int) -> Spill:
    spill = Spill()
    for _ in range(parts):
        spill.write(PART)
    return spill


def test_little_stays_in_memory() -> None:
    before = files()
    spill = filled(2)
    assert files() == before
    assert spill.size == 2 * len(PART)
    assert spill.read() == PART * 2
    assert spill.read(3, 7) == PART[3:7]
    assert b"".join(spill.slices(len(PART) + 1)) == PART[1:]


def test_much_is_in_a_file_while_somebody_holds_it() -> None:
    before = files()
    spill = filled(10)
    assert files() == before + 1
    assert spill.read() == PART * 10
    assert spill.read(len(PART) - 1, len(PART) + 2) == PART[-1:] + PART[:2]
    assert spill.read(spill.size - 1, spill.size + 9) == PART[-1:]
    sliced = list(spill.slices(5))
    assert b"".join(sliced) == (PART * 10)[5:]
    assert max(map(len, sliced)) <= SLICE
    spill.write(b"more")
    assert spill.read(spill.size - 5) == PART[-1:] + b"more"
    del spill
    assert files() == before


def test_a_file_that_is_given_up_is_gone() -> None:
    before = files()
    spill = filled(10)
    spill.close()
    assert files() == before
    assert (spill.size, spill.read(), list(spill.slices())) == (0, b"", [])


def test_without_a_folder_for_the_file_all_stays_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    before = files()
    spill = filled(10)
    assert files() == before
    assert spill.read() == PART * 10
    assert b"".join(spill.slices(LARGE)) == (PART * 10)[LARGE:]


def test_where_the_room_ends_the_rest_stays_in_memory(tmp_path: Path) -> None:
    program = f"""
import resource, signal
from plugbay.storage import Spill
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({LARGE + LARGE // 2}, resource.RLIM_INFINITY))
part = bytes(range(256)) * 1000
spill = Spill()
for _ in range(10):
    spill.write(part)
assert 0 < spill._in_file < spill.size, spill._in_file
assert spill.read() == part * 10
assert b"".join(spill.slices(7)) == (part * 10)[7:]
assert b"".join(spill.slices({2 * LARGE})) == (part * 10)[{2 * LARGE}:]
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
