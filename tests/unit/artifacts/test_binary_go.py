"""What is read of the Go in a binary: its build, its version, its symbols."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from elftools.elf.elffile import ELFFile

from plugbay.app._clock import SystemClock
from plugbay.artifacts import Finding, GoBuild, Validator, inspect_go, layers_by_kind
from plugbay.artifacts._binary._go import GoInfo
from plugbay.artifacts._binary._structure import Structure
from plugbay.artifacts._layer import Subject
from plugbay.kernel import ArtifactRejected, ArtifactState

from .binaries import GOSO, PROCESS, Binaries, edited, manifest, of_version
from .conftest import Bench, chunked, passing_binary, passing_trial
from .judged import found, judge, results

if TYPE_CHECKING:
    from plugbay.artifacts import Artifact


def test_a_missing_symbol(bench: Bench, binaries: Binaries) -> None:
    artifact = judge(bench, binaries.bare.read_bytes(), "bare.so", GOSO)

    finding = found(artifact, "symbols")
    assert finding.detail == "the plugin exports no New"
    assert finding.expected == "example.com/tests/my%2eplugin.New"
    assert "func New(config map[string]any) (any, error)" in finding.remedy
    assert results(artifact)["trial"] == "skipped"

    made = judge(bench, binaries.bare.read_bytes(), "bare.so", manifest("goso", entry='"Make"'))
    assert made.state is ArtifactState.VALIDATED


def test_a_wrong_version_of_go(bench: Bench, binaries: Binaries) -> None:
    """The copy's version is patched, its length kept: the layer reads nothing else of it."""
    version = inspect_go(binaries.plugin).version
    other = version[:-1] + ("0" if version[-1] != "0" else "1")
    data = of_version(binaries.plugin.read_bytes(), version.encode(), other.encode())

    async def work() -> Artifact:
        upload = await bench.uploader.receive(
            chunked(data), filename="good.so", by="tests", declaration=lambda kind: GOSO
        )
        layers = layers_by_kind(
            bench.store,
            {"wheel": passing_trial, "shared-object": passing_binary},
            go_versions=lambda: {version},
        )
        return await Validator(bench.store, layers, SystemClock()).validate(upload.artifact.digest)

    finding = found(asyncio.run(work()), "go")
    assert (finding.expected, finding.found) == (version, other)
    assert f"GOTOOLCHAIN={version} " in finding.remedy
    assert "go build -buildmode=plugin -trimpath -o good.so ." in finding.remedy


def test_an_old_version_of_go(bench: Bench, binaries: Binaries) -> None:
    version = inspect_go(binaries.plugin).version
    old = "go1.9.9".ljust(len(version), "0")
    data = of_version(binaries.plugin.read_bytes(), version.encode(), old.encode())
    finding = found(judge(bench, data, "good.so", GOSO), "go")
    assert (finding.expected, finding.found) == ("1.18 or newer", old)


def test_a_program_need_not_be_gos(bench: Bench) -> None:
    """This very interpreter is a program, and not Go's."""
    data = Path(sys.executable).resolve().read_bytes()
    artifact = judge(bench, data, "python", PROCESS)

    finding = found(artifact, "go")
    assert finding.severity == "info"
    assert artifact.state is ArtifactState.VALIDATED, artifact.findings
    assert artifact.go is None


def test_a_library_that_is_not_gos(bench: Bench) -> None:
    import ssl

    data = Path(ssl._ssl.__file__).read_bytes()  # type: ignore[attr-defined]
    artifact = judge(bench, data, "ssl.so", GOSO)
    assert found(artifact, "go").detail == "no Go plugin"
    assert results(artifact)["symbols"] == "skipped"


def test_a_dialect_of_go_plugin_without_go_plugin(bench: Bench, binaries: Binaries) -> None:
    declared = manifest("process", entry='"km"')
    artifact = judge(bench, binaries.program.read_bytes(), "program", declared)
    finding = found(artifact, "go")
    assert (finding.severity, finding.expected) == ("warning", "github.com/hashicorp/go-plugin")
    assert artifact.state is ArtifactState.VALIDATED


def test_without_trimpath_is_a_warning(binaries: Binaries, tmp_path: Path) -> None:
    data = binaries.plugin.read_bytes()
    at = data.index(b"-trimpath=true", data.index(b"\xff Go buildinf:"))
    path = tmp_path / "good.so"
    path.write_bytes(edited(data, {at: b"-trimpath=nope"}))
    subject = Subject(digest="", path=path, filename="good.so", kind="shared-object")
    asyncio.run(Structure().inspect(subject))
    (problem,) = asyncio.run(GoInfo().inspect(subject)) or ()
    assert isinstance(problem, Finding)
    assert problem.severity == "warning"


def test_what_is_read_is_what_another_reader_reads(binaries: Binaries) -> None:
    """pyelftools, an independent reader, sees the same sections, and the same symbols."""
    from plugbay.artifacts._native._elf import read_elf
    from plugbay.artifacts._native._symbols import Symbols, package_hashes

    data = binaries.plugin.read_bytes()
    elf = read_elf(data)
    symbols = Symbols(data, elf)
    with binaries.plugin.open("rb") as file:
        other = ELFFile(file)
        assert [s.name for s in elf.sections] == [s.name for s in other.iter_sections()]
        assert [s.offset for s in elf.segments] == [s["p_offset"] for s in other.iter_segments()]
        table = other.get_section_by_name(".dynsym")
        defined = {s.name for s in table.iter_symbols() if s["st_shndx"] != "SHN_UNDEF"}
    prefix = "go:link.pkghashbytes."
    expected = {name.removeprefix(prefix) for name in defined if name.startswith(prefix)}
    assert set(package_hashes(symbols)) == expected
    assert len(expected) > 20
    assert set(symbols.ending(b".New")) == {name for name in defined if name.endswith(".New")}
    assert all(name in symbols for name in sorted(defined)[:500] if name)
    assert "no.such.Symbol" not in symbols


def test_inspecting_what_is_not_gos(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"text")
    with pytest.raises(ArtifactRejected, match="no ELF"):
        inspect_go(path)
    with pytest.raises(ArtifactRejected, match="not made by Go"):
        inspect_go(Path(sys.executable).resolve())


def test_releases() -> None:
    def release(version: str) -> tuple[int, int] | None:
        return GoBuild(version=version, path="").release

    assert release("go1.26.6") == (1, 26)
    assert release("go1.27rc1") == (1, 27)
    assert release("devel go1.28-abcdef") is None
    assert release("go1") is None
