"""Executables and shared objects: what passes, and what is said of what does not."""

from __future__ import annotations

import asyncio
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from plugbay.app._clock import SystemClock
from plugbay.artifacts import Declaration, Validator, layers_by_kind
from plugbay.kernel import ArtifactState

from .binaries import ARM, GOSO, PROCESS, Binaries, for_machine, manifest
from .conftest import Bench, PassedTrial, chunked, passing_trial
from .judged import found, judge, results

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts import Artifact
    from plugbay.sdk import Manifest

BINARY = ["extension", "size", "manifest", "elf", "go", "symbols", "trial"]


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
        return await Validator(bench.store, layers, SystemClock()).validate(upload.artifact.digest)

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
