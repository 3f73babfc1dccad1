"""The layer `form`: archives that attack, lie, or are broken, and wheels that are none."""

from __future__ import annotations

import asyncio
import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts import ArchiveLimits
from plugbay.artifacts._archive import Archive
from plugbay.kernel import ArtifactRejected, ArtifactState

from .hostile import INFO, NAME, deflated, details, inspect, raw_zip, write
from .wheels import (
    METADATA,
    WHEEL,
    make_wheel,
    record_line,
    wheel_bytes,
    wheel_files,
    write_zip,
)

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Bench


def with_entry(tmp_path: Path, info: zipfile.ZipInfo, content: bytes = b"x") -> Path:
    """A good wheel with one more entry, which RECORD lists, too."""
    data = wheel_bytes(files={})
    stream = io.BytesIO(data)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(info, content)
    path = tmp_path / NAME
    path.write_bytes(stream.getvalue())
    return path


def test_a_good_wheel_has_no_finding(tmp_path: Path) -> None:
    assert inspect(make_wheel(tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../evil.py", "leaves the archive"),
        ("plugbay_hello/../../evil.py", "leaves the archive"),
        ("/etc/passwd", "is absolute"),
        ("plugbay_hello\\evil.py", "has a backslash"),
        ("C:/evil.py", "names a drive"),
        ("plugbay_hello//x.py", "has an empty or '.' part"),
        ("./x.py", "has an empty or '.' part"),
        ("plugbay_hello/a\nb.py", "has a control character"),
        ("plugbay_hello/" + "x" * 300, "is too long"),
        ("a/" * 600 + "x", "is too long"),
    ],
)
def test_a_dangerous_path_is_refused(tmp_path: Path, name: str, why: str) -> None:
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    assert why in details(inspect(with_entry(tmp_path, info)))


def test_a_nul_in_a_name_is_refused(tmp_path: Path) -> None:
    data = raw_zip((b"a\x00b", deflated(b""), 0, 0))
    assert "control character" in details(inspect(write(tmp_path, data)))


@pytest.mark.parametrize(
    ("mode", "what"),
    [(0o120777, "symbolic link"), (0o010644, "special file"), (0o020644, "special file")],
)
def test_links_and_special_files_are_refused(tmp_path: Path, mode: int, what: str) -> None:
    info = zipfile.ZipInfo("plugbay_hello/link")
    info.external_attr = mode << 16
    assert what in details(inspect(with_entry(tmp_path, info, b"/etc/passwd")))


@pytest.mark.parametrize(("name", "mode"), [("a", 0o040755), ("a/", 0o100644)])
def test_half_a_directory_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    assert "by its name or its mode" in details(inspect(with_entry(tmp_path, info, b"")))


def test_a_directory_with_content_is_refused(tmp_path: Path) -> None:
    data = raw_zip((b"a/", deflated(b"x"), 1, zlib.crc32(b"x")))
    assert "directory 'a/' has content" in details(inspect(write(tmp_path, data)))


def test_empty_directories_are_fine(bench: Bench, tmp_path: Path) -> None:
    path = with_entry(tmp_path, zipfile.ZipInfo("plugbay_hello/empty/"), b"")
    artifact = bench.check(path)
    assert artifact.state is ArtifactState.VALIDATED
    assert (asyncio.run(bench.store.payload(artifact.digest)) / "plugbay_hello/empty").is_dir()


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize(
    "name",
    ["plugbay_hello/__init__.py", "plugbay_hello/__INIT__.py", "PLUGBAY_HELLO/__init__.py"],
)
def test_names_that_collide_are_refused(tmp_path: Path, name: str) -> None:
    assert "are the same file" in details(inspect(with_entry(tmp_path, zipfile.ZipInfo(name))))


def test_a_file_below_a_file_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("plugbay_hello/__init__.py/x.py")
    assert "lies below the file" in details(inspect(with_entry(tmp_path, info)))


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    data = bytearray(wheel_bytes())
    data[6] |= 1  # the first local header's flags
    assert "is encrypted" in details(inspect(write(tmp_path, bytes(data))))


def test_a_high_ratio_is_a_bomb(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, files={"plugbay_hello/zeros": b"\0" * (2 << 20)})
    assert "expands too much: a zip bomb" in details(inspect(path))


def test_many_small_bombs_are_one(tmp_path: Path) -> None:
    files = {f"plugbay_hello/{n}": b"\0" * 500_000 for n in range(10)}
    assert "the whole expands too much" in details(inspect(make_wheel(tmp_path, files=files)))


def test_a_bomb_inside_a_bomb_is_measured_from_outside(tmp_path: Path) -> None:
    inner = wheel_bytes(files={"zeros": b"\0" * (10 << 20)})
    outer = make_wheel(tmp_path, files={f"plugbay_hello/{n}.zip": inner for n in range(10)})
    assert "zip bomb" in details(inspect(outer))


def test_a_total_above_the_limit_is_a_bomb(tmp_path: Path) -> None:
    limits = ArchiveLimits(total=500)
    assert "too large when unpacked" in details(inspect(make_wheel(tmp_path), limits=limits))


def test_too_many_entries_are_refused_before_they_are_read(tmp_path: Path) -> None:
    limits = ArchiveLimits(entries=3)
    assert "too many entries" in details(inspect(make_wheel(tmp_path), limits=limits))


@pytest.mark.parametrize("claimed", [10, 900_000])
def test_a_lying_size_is_noticed_while_inflating(tmp_path: Path, claimed: int) -> None:
    content = bytes(range(256)) * 1_000
    entry = (b"x", deflated(content), claimed, zlib.crc32(content[:claimed]))
    files = dict(wheel_files())
    parts = [(n.encode(), deflated(c), len(c), zlib.crc32(c)) for n, c in files.items()]
    problems = inspect(write(tmp_path, raw_zip(*parts, entry)))
    assert "the size of 'x' in the archive's directory is a lie" in details(problems)


def test_no_more_than_the_claimed_size_is_ever_inflated(tmp_path: Path) -> None:
    content = bytes(10_000_000)
    path = write(tmp_path, raw_zip((b"x", deflated(content), 100_000, zlib.crc32(content))))
    seen: list[int] = []
    with Archive.open(path, ArchiveLimits()) as archive:
        sizes = map(len, archive.chunks(archive.entries[0]))
        with pytest.raises(ArtifactRejected, match="is a lie"):
            seen.extend(sizes)
    assert 0 < sum(seen) <= 100_000


def test_local_headers_must_agree(tmp_path: Path) -> None:
    one = (b"a", deflated(b"x"), 1, zlib.crc32(b"x"))
    assert "another name" in details(inspect(write(tmp_path, raw_zip(one, names={0: b"b"}))))
    data = bytearray(raw_zip(one))
    struct.pack_into("<L", data, 22, 7)  # the local size
    assert "other sizes" in details(inspect(write(tmp_path, bytes(data))))
    data = bytearray(raw_zip(one))
    struct.pack_into("<H", data, 8, 12)  # the local method: bzip2
    assert "compressed in a way" in details(inspect(write(tmp_path, bytes(data))))


def test_overlapping_entries_are_a_bomb(tmp_path: Path) -> None:
    """Two directory records, of different names, over one and the same data (D. Fifield)."""
    content = deflated(b"x" * 1000)
    inner = raw_zip((b"b", content, 1000, zlib.crc32(b"x" * 1000)))
    local = inner[: 30 + 1 + len(content)]
    data = bytearray(raw_zip((b"a", local, 1000, 1), (b"b", b"", 1000, zlib.crc32(b"x" * 1000))))
    start = struct.unpack_from("<L", data, len(data) - 6)[0]
    second = start + 46 + 1
    struct.pack_into("<L", data, second + 20, len(content))
    struct.pack_into("<L", data, second + 42, 31)  # inside the data of the first
    assert "share bytes of the archive" in details(inspect(write(tmp_path, bytes(data))))


def test_data_that_runs_into_the_directory_is_refused(tmp_path: Path) -> None:
    data = bytearray(raw_zip((b"a", deflated(b"x"), 1, zlib.crc32(b"x"))))
    start = struct.unpack_from("<L", data, len(data) - 6)[0]
    for at in (18, start + 20):
        struct.pack_into("<L", data, at, 500)
    assert "runs into the central directory" in details(inspect(write(tmp_path, bytes(data))))


def test_an_offset_to_nowhere_is_refused(tmp_path: Path) -> None:
    data = bytearray(raw_zip((b"a", deflated(b"x"), 1, zlib.crc32(b"x"))))
    start = struct.unpack_from("<L", data, len(data) - 6)[0]
    struct.pack_into("<L", data, start + 42, 5)
    assert "no local header" in details(inspect(write(tmp_path, bytes(data))))


@pytest.mark.parametrize(
    ("content", "size", "why"),
    [
        (b"\xff\xff\xff", 1, "cannot be inflated"),
        (deflated(b"x") + b"tail", 1, "does not end where"),
        (deflated(b"x" * 5000)[:-2], 5000, "does not end where"),
    ],
)
def test_broken_deflate_data_is_refused(
    tmp_path: Path, content: bytes, size: int, why: str
) -> None:
    parts = [(n.encode(), deflated(c), len(c), zlib.crc32(c)) for n, c in wheel_files().items()]
    problems = inspect(write(tmp_path, raw_zip(*parts, (b"x", content, size, 0))))
    assert why in details(problems)


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    parts = [(n.encode(), deflated(c), len(c), zlib.crc32(c)) for n, c in wheel_files().items()]
    problems = inspect(write(tmp_path, raw_zip(*parts, (b"x", deflated(b"x"), 1, 7))))
    assert "checksum of 'x' is wrong" in details(problems)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no wheel"),
        (b"hello, I am text", "no wheel"),
        (b"PK\x03\x04", "cut off"),
        (b"PK\x03\x04" + b"x" * 100, "cut off"),
        (wheel_bytes() + b"x", "cut off, or has something behind"),
        (b"#!/bin/sh\n" + wheel_bytes(), "no wheel"),
        (b"PK\x03\x04" + wheel_bytes(), "not where its end says"),
    ],
)
def test_what_is_no_whole_archive_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    assert why in details(inspect(write(tmp_path, data)))


def test_a_comment_or_a_wrong_count_is_refused(tmp_path: Path) -> None:
    data = bytearray(wheel_bytes())
    data[-2] = 1
    assert "split, ZIP64 or commented" in details(inspect(write(tmp_path, bytes(data))))
    data = bytearray(wheel_bytes())
    data[-12] = data[-14] = data[-12] - 1
    assert "entry count is a lie" in details(inspect(write(tmp_path, bytes(data))))


def test_a_broken_directory_is_refused(tmp_path: Path) -> None:
    data = bytearray(wheel_bytes())
    start = struct.unpack_from("<L", data, len(data) - 6)[0]
    data[start] = 0
    problems = inspect(write(tmp_path, bytes(data)))
    assert "central directory cannot be read" in details(problems)


def test_a_wheel_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    data = wheel_bytes()
    for length in range(0, len(data), 3):
        assert inspect(write(tmp_path, data[:length])), length


@pytest.mark.parametrize(
    "filename",
    ["hello.zip", "plugbay_hello-1.0.0.whl", "a/b-1.0-py3-none-any.whl", "", "x" * 300 + ".whl"],
)
def test_the_file_name_must_be_a_wheels(tmp_path: Path, filename: str) -> None:
    assert "not that of a wheel" in details(inspect(make_wheel(tmp_path), filename))


@pytest.mark.parametrize(
    "filename", ["other-1.0.0-py3-none-any.whl", "plugbay_hello-2.0-py3-none-any.whl"]
)
def test_the_file_name_must_fit_the_content(tmp_path: Path, filename: str) -> None:
    problems = inspect(make_wheel(tmp_path), filename)
    assert ".dist-info directory belongs to another wheel" in details(problems)
    assert "METADATA has another" not in details(problems)


def test_metadata_must_fit_the_file_name(tmp_path: Path) -> None:
    text = "Metadata-Version: 2.4\nName: other\nVersion: no version\n"
    found = details(inspect(make_wheel(tmp_path, metadata=text)))
    assert "METADATA has another Name" in found
    assert "METADATA has another Version" in found


def test_what_metadata_and_wheel_lack_is_said_at_once(tmp_path: Path) -> None:
    found = details(inspect(make_wheel(tmp_path, metadata="\n", wheel="\n")))
    for field in ("Metadata-Version", "Name", "Version", "Wheel-Version", "Tag"):
        assert f"has no {field}" in found


def test_a_newer_wheel_format_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, wheel=WHEEL.replace("1.0", "2.0"))
    assert "unknown Wheel-Version" in details(inspect(path))


@pytest.mark.parametrize("file", ["METADATA", "WHEEL"])
def test_metadata_and_wheel_must_be_there(tmp_path: Path, file: str) -> None:
    files = wheel_files()
    del files[f"{INFO}/{file}"]
    name = f"{INFO}/RECORD"
    files[name] = ("".join(record_line(n, c) for n, c in files.items()) + f"{name},,\n").encode()
    assert f"needs a {INFO}/{file}" in details(inspect(write_zip(tmp_path / NAME, files)))


def test_metadata_must_be_small(tmp_path: Path) -> None:
    text = METADATA + "\n" + "".join(f"{n:x}" for n in range(400_000))
    assert "at most 1048576 bytes" in details(inspect(make_wheel(tmp_path, metadata=text)))


def test_exactly_one_dist_info(tmp_path: Path) -> None:
    extra = {"other-1.0.dist-info/METADATA": "x"}
    found = details(inspect(make_wheel(tmp_path, files=extra)))
    assert f"{'other-1.0.dist-info'}, {INFO}" in found
    bad = {f"{INFO}x/y": ""}
    assert inspect(make_wheel(tmp_path, files=bad)) == []
    assert "exactly one" in details(inspect(write_zip(tmp_path / NAME, {"a.py": b""})))
    odd = {k.replace(INFO, "plugbay_hello-y.dist-info"): v for k, v in wheel_files().items()}
    assert "belongs to another" in details(inspect(write_zip(tmp_path / NAME, odd)))


def test_data_folders_are_refused(tmp_path: Path) -> None:
    files = {"plugbay_hello-1.0.0.data/scripts/run": "#!python"}
    assert "would have to be installed" in details(inspect(make_wheel(tmp_path, files=files)))


def test_thousands_of_findings_are_cut_off(bench: Bench, tmp_path: Path) -> None:
    files = {f"../{n}{'x' * 200}": "" for n in range(1000)}
    artifact = bench.check(make_wheel(tmp_path, files=files))
    assert len(artifact.findings) == 200
    assert artifact.findings[-1].detail == "and 801 more findings"


def test_a_refused_wheel_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    artifact = bench.check(write(tmp_path, wheel_bytes()[:-30]))
    assert artifact.state is ArtifactState.REJECTED
    assert [report.result for report in artifact.layers] == ["failed", "skipped", "skipped"]
    assert bench.leftovers() == []
