"""Files that are whole or not there, and secret keys in them."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from plugbay.kernel import Invalid
from plugbay.storage import keep_key, write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "seal.key"
    key = keep_key(path, 32)
    assert len(key) == 32
    assert keep_key(path, 32) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_half_a_key_is_none(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"
    path.write_bytes(b"half")
    with pytest.raises(Invalid, match="it has 4 bytes, not 32"):
        keep_key(path, 32)
    assert path.read_bytes() == b"half"


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "facts"
    path.mkdir()  # nothing can be renamed to it
    with pytest.raises(OSError, match="directory"):
        write_atomically(path, b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["facts"]
