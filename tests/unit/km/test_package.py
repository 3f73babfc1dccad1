"""What a .kmpkg may hold, and what becomes of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from plugbay.artifacts.signing import generate_key, load_private_key, public_pem, sign
from plugbay.cli._km import build_km
from plugbay.kernel import Invalid
from plugbay.km import KmConfig, discover, install_package
from plugbay.km._config import PublisherConfig

if TYPE_CHECKING:
    from pathlib import Path

NAME = "km-plugin-watch-0a1b2c3d"
PROGRAM = b"#!/bin/sh\n"
MANIFEST = json.dumps({"name": "watch", "version": "1.2.0", "required_tier": "Pro"}).encode()


def packed(folder: Path, files: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    """Write a package of these files."""
    path = folder / "watch.kmpkg"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, len(data) if kind == tarfile.REGTYPE else 0
            member.linkname = "/etc/passwd"
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("manifest", [f"{NAME}.manifest", "watch-0a1b2c3d.manifest.json"])
def test_it_is_installed_and_then_found(tmp_path: Path, manifest: str) -> None:
    path = packed(tmp_path, {f"./{NAME}": PROGRAM, manifest: MANIFEST})
    folder = tmp_path / "plugins"
    done = install_package(path, folder, KmConfig())
    assert done.found.path == folder / NAME
    assert done.found.path.stat().st_mode & 0o777 == 0o755
    (found,), _ = discover([folder])
    assert (found.name, found.version, found.tier) == ("watch", "1.2.0", "Pro")
    assert sorted(one.name for one in folder.iterdir()) == [NAME, f"{NAME}.manifest.json"]


def test_a_signature_counts_as_km_toml_says(tmp_path: Path) -> None:
    pem = generate_key()
    key = load_private_key(pem)
    (tmp_path / "acme.pub").write_bytes(public_pem(key.public_key()))
    publisher = PublisherConfig(name="acme", keys=(str(tmp_path / "acme.pub"),))
    config = KmConfig(signatures="enforce", publishers=(publisher,))
    digest = hashlib.sha256(PROGRAM).hexdigest()
    good = sign(NAME, digest, key, now=1.0).encode()
    folder = tmp_path / "plugins"

    path = packed(tmp_path, {NAME: PROGRAM, f"{NAME}.sig": good})
    assert install_package(path, folder, config).verdict.publisher == "acme"
    for files, said in (
        ({NAME: PROGRAM}, "not signed"),
        ({NAME: PROGRAM + b"x", f"{NAME}.sig": good}, "another"),
        ({NAME: PROGRAM, f"{NAME}.sig": b"another tool's"}, "no DSSE"),
    ):
        with pytest.raises(Invalid, match=said):
            install_package(packed(tmp_path, files), folder, config)
    assert (folder / NAME).read_bytes() == PROGRAM
    assert not list(folder.glob(".incoming*"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "this one: nothing"),
        ({"other": PROGRAM}, "this one: other"),
        ({NAME: PROGRAM, "km-plugin-b": PROGRAM}, "one program"),
        ({NAME: PROGRAM, "km-plugin-b.sig": b""}, "no part of"),
        ({f"../{NAME}": PROGRAM}, "single files only"),
        ({f"/srv/{NAME}": PROGRAM}, "single files only"),
        ({f"x{n}": b"" for n in range(9)}, "single files only"),
        ({NAME: PROGRAM, f"{NAME}.manifest": b"{"}, "cannot be read"),
    ],
)
def test_what_is_no_package(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    folder = tmp_path / "plugins"
    with pytest.raises(Invalid, match=said):
        install_package(packed(tmp_path, files), folder, KmConfig())
    assert list(folder.iterdir()) == []


def test_links_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="single files only"):
        install_package(packed(tmp_path, {NAME: b""}, tarfile.SYMTYPE), tmp_path / "p", KmConfig())
    (tmp_path / "no.kmpkg").write_bytes(b"no archive")
    with pytest.raises(Invalid, match="no package"):
        install_package(tmp_path / "no.kmpkg", tmp_path / "p", KmConfig())


def test_a_header_is_no_longer_than_it_may_be(tmp_path: Path) -> None:
    folder, long = tmp_path / "p", tarfile.TarInfo("x")
    long.type, long.size = tarfile.XHDTYPE, 64 << 20
    with gzip.open(tmp_path / "long.kmpkg", "wb", 1) as file:
        file.write(long.tobuf() + bytes(long.size))
    with pytest.raises(Invalid, match="a header of 64 MiB"):
        install_package(tmp_path / "long.kmpkg", folder, KmConfig())


@pytest.mark.parametrize("name", ["km-plugin-a\0b", "km-plugin-\udcff", "km-plugin-\n"])
def test_names_are_plain(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "odd.kmpkg", "w:gz") as archive:
        member = tarfile.TarInfo("x")
        member.pax_headers = {"path": name}
        archive.addfile(member, io.BytesIO())
    with pytest.raises(Invalid, match="single files only"):
        install_package(tmp_path / "odd.kmpkg", tmp_path / "p", KmConfig())


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = packed(tmp_path, {NAME: PROGRAM, f"{NAME}.manifest": MANIFEST})
    done = CliRunner().invoke(build_km(), ["plugins", "install", str(path)])
    assert done.exit_code == 0, done.output
    assert "installed watch 1.2.0 (not verified)" in done.output
    assert (tmp_path / ".km" / "plugins" / NAME).exists()
