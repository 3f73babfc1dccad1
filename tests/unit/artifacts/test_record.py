"""RECORD: complete, and every hash and size right."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest

from .hostile import INFO, NAME, deflated, details, inspect, raw_zip, write
from .wheels import make_wheel, record_line, record_name, wheel_files, write_zip

if TYPE_CHECKING:
    from pathlib import Path


def wheel_with(tmp_path: Path, edit: dict[str, str], more: str = "") -> Path:
    files = wheel_files()
    name = record_name(files)
    lines = [record_line(file, content) for file, content in files.items()]
    text = "".join(lines) + f"{name},,\n"
    for old, new in edit.items():
        assert old in text
        text = text.replace(old, new)
    return make_wheel(tmp_path, record=text + more)


def test_a_wrong_hash(tmp_path: Path) -> None:
    path = wheel_with(tmp_path, {"plugbay.toml,sha256=": "plugbay.toml,sha256=x"})
    problems = inspect(path)
    assert "'plugbay_hello/plugbay.toml' has another sha256" in details(problems)
    assert problems[0].expected
    assert problems[0].found
    assert problems[0].remedy


def test_a_hash_that_is_no_text(tmp_path: Path) -> None:
    path = wheel_with(tmp_path, {"plugbay.toml,sha256=": "plugbay.toml,sha256=é"})
    assert "has another sha256" in details(inspect(path))


@pytest.mark.parametrize("size", ["1", "", "x", "9" * 30])
def test_a_wrong_size(tmp_path: Path, size: str) -> None:
    content = wheel_files()["plugbay_hello/plugbay.toml"]
    line = record_line("plugbay_hello/plugbay.toml", content)
    wrong = line.replace(f",{len(content)}\n", f",{size}\n")
    assert "another size" in details(inspect(wheel_with(tmp_path, {line: wrong})))


def test_a_weak_hash(tmp_path: Path) -> None:
    path = wheel_with(tmp_path, {"plugbay.toml,sha256=": "plugbay.toml,md5="})
    assert "sha256, sha384, sha512 | md5" in details(inspect(path))


def test_a_file_that_is_not_listed(tmp_path: Path) -> None:
    content = wheel_files()["plugbay_hello/plugbay.toml"]
    line = record_line("plugbay_hello/plugbay.toml", content)
    assert "is not listed in RECORD" in details(inspect(wheel_with(tmp_path, {line: ""})))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = wheel_with(tmp_path, {}, more="ghost.py,sha256=x,1\n")
    assert "lists 'ghost.py', which is not in the wheel" in details(inspect(path))


def test_everything_at_once(tmp_path: Path) -> None:
    edit = {"plugbay.toml,sha256=": "plugbay.toml,sha256=x", "WHEEL,sha256": "WHEEL,md5"}
    path = wheel_with(tmp_path, edit, more="a,b\nghost.py,x=y,1\nghost.py,x=y,1\n")
    assert len(inspect(path)) == 5


def test_no_record(tmp_path: Path) -> None:
    path = write_zip(tmp_path / NAME, wheel_files())
    assert "the wheel has no RECORD" in details(inspect(path))


@pytest.mark.parametrize("text", ["\xff", 'a,"' + "x" * 200_000, "\r"])
def test_what_cannot_be_read(tmp_path: Path, text: str) -> None:
    files = wheel_files()
    files[record_name(files)] = text.encode("latin-1")
    assert "RECORD" in details(inspect(write_zip(tmp_path / NAME, files)))


def test_a_huge_record(tmp_path: Path) -> None:
    text = "".join(f"{n:x}" for n in range(900_000))
    assert "RECORD is too large" in details(inspect(make_wheel(tmp_path, record=text)))


def test_a_record_that_lies_about_itself(tmp_path: Path) -> None:
    parts = [(n.encode(), deflated(c), len(c), zlib.crc32(c)) for n, c in wheel_files().items()]
    record = (f"{INFO}/RECORD".encode(), deflated(b"x,,"), 3, 7)
    found = details(inspect(write(tmp_path, raw_zip(*parts, record))))
    assert f"checksum of '{INFO}/RECORD' is wrong" in found


def test_signatures_need_no_line(tmp_path: Path) -> None:
    files = {**wheel_files(), f"{INFO}/RECORD.jws": b"{}"}
    name = f"{INFO}/RECORD"
    lines = [record_line(n, c) for n, c in files.items() if not n.endswith(".jws")]
    files[name] = ("".join(lines) + f"{name},,\n").encode()
    assert inspect(write_zip(tmp_path / NAME, files)) == []
