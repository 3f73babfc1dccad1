"""The layers of executables and shared objects, on what Go built here and on spoilt copies."""

from __future__ import annotations

import asyncio
import random
import stat
import struct
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from elftools.elf.elffile import ELFFile

from plugbay.artifacts import (
    Declaration,
    Finding,
    GoBuild,
    Uploader,
    Validator,
    inspect_go,
    kind_of,
    layers_by_kind,
)
from plugbay.artifacts._binary._go import GoInfo
from plugbay.artifacts._binary._size import Size
from plugbay.artifacts._binary._structure import Structure
from plugbay.artifacts._layer import Subject
from plugbay.kernel import ArtifactRejected, ArtifactState, Conflict, Invalid, TooLarge

from .binaries import ARM, GOSO, PROCESS, Binaries, edited, for_machine, manifest, of_version
from .conftest import Bench, PassedTrial, WallClock, chunked, passing_binary, passing_trial
from .wheels import wheel_bytes

if TYPE_CHECKING:
    from plugbay.artifacts import Artifact, Kind
    from plugbay.sdk import Manifest

BINARY = ["extension", "size", "manifest", "elf", "go", "symbols", "trial"]


def judge(
    bench: Bench, data: bytes, filename: str, declaration: Declaration | None = None
) -> Artifact:
    return asyncio.run(bench.judge(data, filename, declaration))


def found(artifact: Artifact, layer: str) -> Finding:
    report = next(report for report in artifact.layers if report.name == layer)
    assert report.findings, f"{layer}: {report.result}"
    return report.findings[0]


def results(artifact: Artifact) -> dict[str, str]:
    return {report.name: report.result for report in artifact.layers}


def test_a_good_plugin_passes(bench: Bench, binaries: Binaries) -> None:
    artifact = judge(bench, binaries.plugin.read_bytes(), "good.so", GOSO)

    assert artifact.state is ArtifactState.VALIDATED, artifact.findings
    assert artifact.kind == "shared-object"
    assert list(results(artifact)) == BINARY
    assert set(results(artifact).values()) == {"passed"}
    assert artifact.findings == ()
    assert (artifact.plugin, artifact.version) == ("sample", "1.0.0")
    assert artifact.manifest is not None
    assert artifact.manifest.entry == "New"
    build = artifact.go
    assert build is not None
    assert build.path == "example.com/tests/my.plugin"
    assert build.prefix == "example.com/tests/my%2eplugin"
    assert (build.buildmode, build.os, build.cgo, build.trimpath) == ("plugin", "linux", True, True)
    assert not build.race
    assert len(build.packages["runtime"]) == 16
    assert artifact.config_schema == {"type": "object"}


def test_what_is_run_is_one_file_that_may_be_executed(bench: Bench, binaries: Binaries) -> None:
    data = binaries.program.read_bytes()
    artifact = judge(bench, data, "my program (1)", PROCESS)

    assert artifact.state is ArtifactState.VALIDATED, artifact.findings
    payload = asyncio.run(bench.store.payload(artifact.digest))
    assert payload == bench.data / "unpacked" / artifact.digest / "my_program__1_"
    assert payload.read_bytes() == data
    assert stat.S_IMODE(payload.stat().st_mode) == 0o555
    assert stat.S_IMODE(payload.parent.stat().st_mode) == 0o500
    assert asyncio.run(bench.store.payload(artifact.digest)) == payload

    bench.store.unpacked.remove(artifact.digest)
    assert not payload.exists()
    assert asyncio.run(bench.store.payload(artifact.digest)).read_bytes() == data


def test_a_plugin_of_single_files_is_found_by_its_hash(bench: Bench, binaries: Binaries) -> None:
    artifact = judge(bench, binaries.single.read_bytes(), "single.so", GOSO)

    assert artifact.state is ArtifactState.VALIDATED, artifact.findings
    assert artifact.go is not None
    assert artifact.go.path == "command-line-arguments"
    assert artifact.go.prefix.startswith("plugin/unnamed-")


def test_a_binary_is_tried_with_its_configuration(bench: Bench, binaries: Binaries) -> None:
    seen: list[dict[str, Any]] = []

    async def trial(payload: Path, manifest: Manifest) -> PassedTrial:
        seen.append(manifest.config)
        return PassedTrial()

    async def work(data: bytes, declaration: Declaration) -> Artifact:
        upload = await bench.uploader.receive(
            chunked(data), filename="a.so", by="tests", declaration=lambda kind: declaration
        )
        layers = layers_by_kind(bench.store, {"wheel": passing_trial, "shared-object": trial})
        return await Validator(bench.store, layers, WallClock()).validate(upload.artifact.digest)

    default = manifest("goso", config="{speed = 1}")
    artifact = asyncio.run(work(binaries.plugin.read_bytes(), default))
    given = replace(manifest("goso", id='"other"'), config={"speed": 2})
    asyncio.run(work(binaries.single.read_bytes(), given))

    assert seen == [{"speed": 1}, {"speed": 2}]
    assert artifact.manifest is not None
    assert artifact.manifest.config == {"speed": 1}
    assert given.same(manifest("goso", id='"other"'))


def test_the_record_outlives_a_restart(bench: Bench, binaries: Binaries) -> None:
    artifact = judge(bench, binaries.plugin.read_bytes(), "good.so", GOSO)

    again = bench.store.get(artifact.digest)
    assert again.go == artifact.go
    assert again.declaration == GOSO
    assert [found.digest for found in bench.store.list(kind="shared-object")] == [artifact.digest]
    assert bench.store.list(kind="wheel") == []


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
        return await Validator(bench.store, layers, WallClock()).validate(upload.artifact.digest)

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


def test_everything_is_said_at_once(bench: Bench, binaries: Binaries) -> None:
    """Name, manifest, machine, build mode: four layers, one answer; and nothing was run."""
    data = for_machine(binaries.library.read_bytes(), ARM)
    declaration = manifest("goso", version='"one"', provides="[]")
    artifact = judge(bench, data, "library.bin", declaration)

    assert artifact.state is ArtifactState.REJECTED
    assert results(artifact) == {
        "extension": "failed",
        "size": "passed",
        "manifest": "failed",
        "elf": "failed",
        "go": "failed",
        "symbols": "failed",
        "trial": "skipped",
    }
    machine = found(artifact, "elf")
    assert (machine.expected, machine.found) == ("x86-64", "aarch64")
    mode = found(artifact, "go")
    assert (mode.expected, mode.found) == ("-buildmode=plugin", "-buildmode=c-shared")
    for finding in artifact.findings:
        assert finding.remedy, finding


def test_another_architecture(bench: Bench, binaries: Binaries) -> None:
    artifact = judge(bench, binaries.arm.read_bytes(), "arm", PROCESS)

    assert found(artifact, "elf").found == "aarch64"
    finding = found(artifact, "go")
    assert (finding.expected, finding.found) == ("GOARCH=amd64", "GOARCH=arm64")
    assert finding.remedy == (
        "build it by: GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go build -trimpath -o arm ."
    )


def test_an_executable_called_so_and_the_reverse(bench: Bench, binaries: Binaries) -> None:
    finding = found(judge(bench, binaries.program.read_bytes(), "renamed.so", GOSO), "extension")
    assert finding.found == "an executable program called renamed.so"
    assert "-buildmode=plugin" in finding.remedy

    reverse = judge(bench, binaries.plugin.read_bytes(), "renamed", PROCESS)
    finding = found(reverse, "extension")
    assert finding.found == "a shared object called renamed"
    assert finding.expected == "a name like renamed.so"
    assert found(reverse, "manifest").expected == "goso"

    wheel = judge(bench, binaries.program.read_bytes(), "renamed.whl", PROCESS)
    assert "ends in .whl" in found(wheel, "extension").detail


@pytest.mark.parametrize("size", [1, 3, 4, 5, 16, 63, 64, 100, 1000, 4096, -65536, -4096, -64, -1])
def test_cut_off_anywhere(bench: Bench, binaries: Binaries, size: int) -> None:
    for data, name, declaration in (
        (binaries.plugin.read_bytes(), "good.so", GOSO),
        (binaries.program.read_bytes(), "program", PROCESS),
    ):
        artifact = judge(bench, data[:size], name, declaration)
        finding = found(artifact, "elf")
        assert artifact.state is ArtifactState.REJECTED
        assert finding.expected
        assert finding.found
        assert results(artifact)["trial"] == "skipped"


def test_cut_off_at_a_hundred_offsets(bench: Bench, binaries: Binaries, tmp_path: Path) -> None:
    """Wherever a file ends too early, the structure says so: its tables are at its end."""
    dice = random.Random(17)  # noqa: S311 - repeatable
    data = binaries.plugin.read_bytes()
    path = tmp_path / "cut.so"
    for _ in range(100):
        path.write_bytes(data[: dice.randrange(1, len(data))])
        subject = Subject(digest="", path=path, filename="cut.so", kind="shared-object")
        assert asyncio.run(Structure().inspect(subject))
        assert subject.elf is None


def test_no_elf_at_all(bench: Bench) -> None:
    finding = found(judge(bench, b"#!/bin/sh\nexit 0\n" * 99, "script.so", GOSO), "elf")
    assert finding.detail == "this is no ELF file"
    assert finding.found == "23 21 2f 62"


def test_sizes(bench: Bench, binaries: Binaries, tmp_path: Path) -> None:
    empty = tmp_path / "empty.so"
    empty.touch()
    subject = Subject(digest="", path=empty, filename="empty.so", kind="shared-object")
    (problem,) = asyncio.run(Size().inspect(subject))
    assert (problem.detail, problem.found) == ("the file is empty", "0 bytes")
    (nothing,) = asyncio.run(Structure().inspect(subject)) or ()
    assert nothing.detail == "the file is empty"

    large = tmp_path / "large.so"
    with large.open("wb") as file:
        file.truncate(50 * 1024 * 1024 + 1)
    subject = Subject(digest="", path=large, filename="large.so", kind="shared-object")
    (problem,) = asyncio.run(Size().inspect(subject))
    assert problem.found == f"{50 * 1024 * 1024 + 1} bytes"
    assert asyncio.run(Size(50 * 1024 * 1024 + 1).inspect(subject)) == []


def test_fifty_megabytes_and_one_are_not_taken(bench: Bench) -> None:
    async def flood() -> None:
        uploader = Uploader(bench.store, WallClock())
        piece = bytes(1 << 20)

        async def chunks():  # type: ignore[no-untyped-def]
            for _ in range(50):
                yield piece
            yield b"x"

        await uploader.receive(chunks(), filename="large.so", by="tests")

    with pytest.raises(TooLarge):
        asyncio.run(flood())
    assert bench.leftovers() == []


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


def test_a_loader_that_is_not_here(bench: Bench) -> None:
    data = Path(sys.executable).resolve().read_bytes()
    at = data.index(b"/lib64/ld-linux") if b"/lib64/ld-linux" in data else data.index(b"/lib/ld")
    artifact = judge(bench, edited(data, {at: b"/nowhere"}), "python", PROCESS)
    assert found(artifact, "elf").found.startswith("/nowhere")


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


def test_object_files_and_32_bit_and_big_endian(bench: Bench, binaries: Binaries) -> None:
    data = binaries.program.read_bytes()
    for edits, said in (
        ({16: struct.pack("<H", 1)}, "an object file"),
        ({16: struct.pack("<H", 4)}, "a core"),
        ({16: struct.pack("<H", 99)}, "type 99"),
        ({4: b"\1"}, "32-bit"),
        ({4: b"\7"}, "class 7"),
        ({5: b"\2"}, "big-endian"),
        ({5: b"\0"}, "encoding 0"),
        ({6: b"\7"}, "7 and 1"),
        ({18: struct.pack("<H", 40)}, "arm"),
        ({18: struct.pack("<H", 65000)}, "machine 65000"),
        ({54: struct.pack("<H", 55)}, "55 bytes"),
        ({56: struct.pack("<H", 60000)}, "60000"),
        ({56: struct.pack("<H", 0)}, ""),
        ({58: struct.pack("<H", 63)}, "63 bytes"),
        ({60: struct.pack("<H", 60000)}, "60000"),
        ({62: struct.pack("<H", 9999)}, "9999"),
    ):
        artifact = judge(bench, edited(data, edits), "program", PROCESS)
        assert artifact.state is ArtifactState.REJECTED
        assert found(artifact, "elf").found == said


def test_without_a_manifest(bench: Bench, binaries: Binaries) -> None:
    artifact = judge(bench, binaries.program.read_bytes(), "program")
    finding = found(artifact, "manifest")
    assert finding.remedy == "plugbay plugin push program --manifest plugbay.toml"


@pytest.mark.parametrize(
    ("declaration", "pointer"),
    [
        (Declaration("id = "), "/"),
        (Declaration("[" * 5000), "/"),
        (manifest("goso"), "/runtime"),
        (manifest("python", entry='"a:B"'), "/runtime"),
        (manifest("process", entry='"grpc"'), "/entry"),
        (manifest("process", entry="5"), "/entry"),
        (manifest("process", api="2"), "/api"),
        (manifest("process", id='"Not One"'), "/id"),
        (manifest("process", version='"first"'), "/version"),
        (manifest("process", wrong="1"), "/wrong"),
        (manifest("process", version=""), "/version"),
    ],
)
def test_wrong_manifests(
    bench: Bench, binaries: Binaries, declaration: Declaration, pointer: str
) -> None:
    artifact = judge(bench, binaries.program.read_bytes(), "program", declaration)
    assert artifact.state is ArtifactState.REJECTED
    assert found(artifact, "manifest").pointer == pointer


def test_an_entry_that_go_does_not_export(bench: Bench, binaries: Binaries) -> None:
    data = binaries.plugin.read_bytes()
    for entry in ("make", "a.B", ""):
        declared = manifest("goso", entry=f'"{entry}"')
        assert found(judge(bench, data, "good.so", declared), "manifest").pointer == "/entry"


def test_the_same_bytes_are_one_version(bench: Bench, binaries: Binaries) -> None:
    data = binaries.program.read_bytes()
    first = judge(bench, data, "program", PROCESS)
    assert judge(bench, data, "program", PROCESS).digest == first.digest
    assert judge(bench, data, "program").state is ArtifactState.VALIDATED
    spelled = Declaration(f"# a comment\n{PROCESS.text}")
    assert judge(bench, data, "program", spelled).digest == first.digest
    with pytest.raises(Conflict, match=r"already the artifact .*sample 1\.0\.0"):
        judge(bench, data, "program", manifest("process", version='"2.0.0"'))


def test_another_binary_cannot_take_a_version(bench: Bench, binaries: Binaries) -> None:
    judge(bench, binaries.program.read_bytes(), "program", PROCESS)
    with pytest.raises(Conflict, match="a version is never replaced"):
        judge(bench, binaries.program.read_bytes() + b"\0", "program", PROCESS)


def test_a_wheel_brings_its_own(bench: Bench) -> None:
    with pytest.raises(Invalid, match="inside"):
        judge(bench, wheel_bytes(), "plugbay_hello-1.0.0-py3-none-any.whl", PROCESS)
    assert bench.leftovers() == []


def test_web_assembly_is_refused_with_a_clear_word(bench: Bench) -> None:
    artifact = judge(bench, b"\0asm\1\0\0\0" + bytes(100), "filter.wasm")
    (report,) = artifact.layers
    assert report.name == "kind"
    assert artifact.kind == "wasm"
    assert report.findings[0].expected == (
        "a Python wheel, a plugin executable, or a Go shared object (.so)"
    )


def test_a_kind_without_a_runtime_is_refused_before_it_is_run(
    bench: Bench, binaries: Binaries
) -> None:
    trials = {"wheel": passing_trial}
    artifact = asyncio.run(
        bench.judge(binaries.program.read_bytes(), "program", PROCESS, trials)  # type: ignore[arg-type]
    )
    finding = found(artifact, "manifest")
    assert (finding.detail, finding.found) == ("not available here", "process")
    assert "trial" not in results(artifact)


def test_kinds_by_content(binaries: Binaries, tmp_path: Path) -> None:
    def kind(data: bytes, name: str, runtime: str = "") -> Kind:
        path = tmp_path / "x"
        path.write_bytes(data)
        return kind_of(path, name, runtime)

    assert kind(binaries.plugin.read_bytes(), "x.whl") == "shared-object"
    assert kind(binaries.program.read_bytes(), "x.so") == "executable"
    assert kind(binaries.library.read_bytes(), "x") == "shared-object"
    assert kind(b"PK\3\4", "x.so") == "wheel"
    assert kind(b"\0asm", "x") == "wasm"
    assert kind(b"text", "x.so") == "shared-object"
    assert kind(b"text", "x.WASM") == "wasm"
    assert kind(b"text", "x.whl") == "wheel"
    assert kind(b"text", "x", "process") == "executable"
    assert kind(b"\x7fELF", "x.so") == "shared-object"
    assert kind(b"\x7fELF", "x") == "executable"


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


def test_five_layers_are_quick(bench: Bench, binaries: Binaries) -> None:
    """Not a benchmark: a guard against something that grows with the file."""
    trials = {"wheel": passing_trial, "shared-object": passing_binary}
    layers = layers_by_kind(bench.store, trials)["shared-object"]  # type: ignore[arg-type]
    subject = Subject(
        digest="",
        path=binaries.plugin,
        filename="good.so",
        kind="shared-object",
        declaration=GOSO,
    )

    async def work() -> float:
        begin = time.perf_counter()
        for layer in layers[:6]:
            await layer.inspect(subject)
        return time.perf_counter() - begin

    assert asyncio.run(work()) < 2.0
    assert subject.go is not None
    assert subject.go.packages
