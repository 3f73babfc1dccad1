"""The manifest beside a binary, and of which kind a file is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts import Declaration, kind_of
from plugbay.kernel import ArtifactState, Conflict, Invalid

from .binaries import PROCESS, Binaries, manifest
from .conftest import Bench, passing_trial
from .judged import found, judge, results
from .wheels import wheel_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts import Kind


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
