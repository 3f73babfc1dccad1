"""Locks: pinned, with hashes, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts.environments import Lock, read_lock, unlocked
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from pathlib import Path

A, B = "a" * 64, "b" * 64
PYLOCK = f"""\
lock-version = "1.0"
created-by = "tests"

[[packages]]
name = "greet"
version = "1.0"

[[packages.wheels]]
name = "greet-1.0-py3-none-any.whl"
url = "https://example.com/greet-1.0-py3-none-any.whl"
hashes = {{sha256 = "{A}"}}
"""


def payload(folder: Path, text: str, name: str = "plugbay.lock") -> Path:
    place = folder / "plugbay_hello"
    place.mkdir(exist_ok=True)
    (place / name).write_text(text)
    return folder


def test_a_wheel_without_a_lock_has_an_empty_one(tmp_path: Path) -> None:
    assert read_lock(tmp_path) == Lock()


def test_it_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    one = read_lock(
        payload(
            tmp_path,
            f"# made by hand\nGreet==1.0 \\\n  --hash=sha256:{B} \\\n  --hash=sha256:{A}\n"
            f"other==2 ; python_version > '3' --hash=sha256:{A}  # via greet\n",
        )
    )
    other = read_lock(
        payload(
            tmp_path,
            f"other==2;python_version>'3' --hash=sha256:{A}\n"
            f"greet==1.0 --hash=sha256:{A} --hash=sha256:{B}\n",
        )
    )
    assert (one.text(), one.digest) == (other.text(), other.digest)
    assert one.version_of("GREET") == "1.0"
    assert one.digest != Lock().digest


def test_a_pylock_counts_by_its_hashes(tmp_path: Path) -> None:
    lock = read_lock(payload(tmp_path, PYLOCK, "pylock.toml"))
    assert lock.text() == f"greet==1.0 --hash=sha256:{A}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("greet==1.0\n", "it has no hash"),
        (f"greet>=1.0 --hash=sha256:{A}\n", "not pinned"),
        (f"greet==1.* --hash=sha256:{A}\n", "not pinned"),
        (f"greet @ https://example.com/g.whl --hash=sha256:{A}\n", "not pinned"),
        ("--index-url https://example.com\n", "no options"),
        ("-r other.txt\n", "no options"),
        (f"greet==1 --hash=sha256:{A} --config-settings=x\n", "no options"),
        (f"greet==1 --hash=md5:{A}\n", "no options"),
        (f"plugbay==0.1 --hash=sha256:{A}\n", "lends it plugbay.sdk"),
        (f"no requirement at all --hash=sha256:{A}\n", "no requirement"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as caught:
        read_lock(payload(tmp_path, text))
    assert caught.value.problems[0].pointer.startswith("plugbay_hello/plugbay.lock")


def test_other_refusals(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no pylock"):
        read_lock(payload(tmp_path, "lock-version = 1", "pylock.toml"))
    payload(tmp_path, "")
    with pytest.raises(Invalid, match="several locks"):
        read_lock(tmp_path)
    (tmp_path / "plugbay_hello" / "pylock.toml").unlink()
    (tmp_path / "plugbay_hello" / "plugbay.lock").write_bytes(b"\xff")
    with pytest.raises(Invalid, match="UTF-8"):
        read_lock(tmp_path)
    payload(tmp_path, "#" * (1 << 21))
    with pytest.raises(Invalid, match="too large"):
        read_lock(tmp_path)


def test_what_the_wheel_requires_and_the_lock_lacks(tmp_path: Path) -> None:
    lock = read_lock(payload(tmp_path, f"greet==1.0 --hash=sha256:{A}\n"))
    needs = ["greet>=1", "plugbay>=0.1", "other ; python_version < '3'", "greet>=2", "none"]
    found = list(unlocked(needs, lock))
    assert [one.found for one in found] == ["greet 1.0", "nothing of that name"]
