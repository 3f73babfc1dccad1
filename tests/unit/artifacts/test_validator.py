"""From the upload to a settled artifact."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts import Form, ManifestLayer, Platform, Subject, TrialLayer, validation_layers
from plugbay.kernel import ArtifactState, Invalid, Problem, Unavailable

from .conftest import PassedTrial, passing_trial
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts import LayerEvent
    from plugbay.sdk import Manifest

    from .conftest import Bench


def test_a_good_wheel_is_validated(bench: Bench, tmp_path: Path) -> None:
    trial = TrialLayer(passing_trial, bench.store.payload)
    artifact = bench.check(make_wheel(tmp_path), Form(), ManifestLayer(), Platform(), trial)
    assert artifact.findings == ()
    assert artifact.state is ArtifactState.VALIDATED
    assert (artifact.plugin, artifact.version) == ("hello", "1.0.0")
    assert bench.store.find("hello", "1.0") == artifact


def test_progress_is_told_layer_by_layer(bench: Bench, tmp_path: Path) -> None:
    async def scenario(wheel: Path) -> list[tuple[str, int, int, str]]:
        events: list[LayerEvent] = []
        artifact = await bench.upload(wheel)
        await bench.validator().validate(artifact.digest, events.append)
        assert all(event.digest == artifact.digest for event in events)
        settled = bench.store.get(artifact.digest)
        assert [e.report for e in events if e.report is not None] == list(settled.layers)
        return [(event.layer, event.index, event.total, event.status) for event in events]

    assert asyncio.run(scenario(make_wheel(tmp_path))) == [
        ("form", 0, 3, "started"),
        ("form", 0, 3, "passed"),
        ("manifest", 1, 3, "started"),
        ("manifest", 1, 3, "passed"),
        ("platform", 2, 3, "started"),
        ("platform", 2, 3, "passed"),
    ]
    assert asyncio.run(scenario(make_wheel(tmp_path, manifest="x = 1")))[2:] == [
        ("manifest", 1, 3, "started"),
        ("manifest", 1, 3, "failed"),
        ("platform", 2, 3, "skipped"),
    ]


def test_a_settled_artifact_is_not_validated_again(bench: Bench, tmp_path: Path) -> None:
    artifact = bench.check(make_wheel(tmp_path))
    events: list[LayerEvent] = []
    work = bench.validator().validate(artifact.digest, events.append)
    assert asyncio.run(work) == artifact
    assert events == []


def test_a_settled_artifact_is_tried_with_another_configuration_and_stays(
    bench: Bench, tmp_path: Path
) -> None:
    seen: list[object] = []

    async def picky(payload: Path, manifest: Manifest) -> PassedTrial:
        seen.append(manifest.config.get("greeting"))
        if manifest.config.get("greeting") == "rude":
            return PassedTrial(problems=(Problem("/greeting", "not here"),))
        return await passing_trial(payload, manifest)

    async def scenario() -> None:
        layers = (Form(), ManifestLayer(), Platform(), TrialLayer(picky, bench.store.payload))
        artifact = await bench.push(make_wheel(tmp_path), *layers)
        validator = bench.validator(*layers)
        await validator.try_with(artifact.digest, {"greeting": "kind"})
        with pytest.raises(Invalid, match=r"hello 1\.0\.0 is here already") as refused:
            await validator.try_with(artifact.digest, {"greeting": "rude"})
        assert [problem.pointer for problem in refused.value.problems] == ["/greeting"]
        assert bench.store.get(artifact.digest).state is ArtifactState.VALIDATED
        assert bench.store.get(artifact.digest).layers == artifact.layers

    asyncio.run(scenario())
    assert seen == [None, "kind", "rude"]


def test_two_who_ask_at_once_get_one_validation(bench: Bench, tmp_path: Path) -> None:
    async def scenario() -> None:
        artifact = await bench.upload(make_wheel(tmp_path))
        events: list[LayerEvent] = []
        validator = bench.validator()
        work = [validator.validate(artifact.digest, events.append) for _ in range(3)]
        first, *others = await asyncio.gather(*work)
        assert all(other == first for other in others)
        assert len(events) == 6

    asyncio.run(scenario())


def test_a_layer_that_fails_itself_leaves_the_artifact_uploaded(
    bench: Bench, tmp_path: Path
) -> None:
    async def broken(payload: Path, manifest: Manifest) -> PassedTrial:
        raise Unavailable("no process can be started now")

    wheel = make_wheel(tmp_path)
    with pytest.raises(Unavailable):
        bench.check(wheel, *bench.layers(), TrialLayer(broken, bench.store.payload))
    (artifact,) = bench.store.list()
    assert artifact.state is ArtifactState.UPLOADED
    assert asyncio.run(bench.validator().recover())[0].state is ArtifactState.VALIDATED


def test_a_trial_that_finds_something_rejects(bench: Bench, tmp_path: Path) -> None:
    async def strict(payload: Path, manifest: Manifest) -> PassedTrial:
        return PassedTrial(problems=(Problem("load", "import failed", "x", "y", "z"),))

    layers = validation_layers(bench.store, strict)
    artifact = bench.check(make_wheel(tmp_path), *layers)
    assert artifact.state is ArtifactState.REJECTED
    assert [finding.detail for finding in artifact.findings] == ["import failed"]
    assert [layer.name for layer in layers] == ["form", "manifest", "platform", "static", "trial"]
    assert bench.leftovers() == []


def test_a_trial_that_warns_does_not_reject(bench: Bench, tmp_path: Path) -> None:
    async def gentle(payload: Path, manifest: Manifest) -> PassedTrial:
        return PassedTrial(warnings=(Problem("audit", "a thread is left"),))

    trial = TrialLayer(gentle, bench.store.payload)
    artifact = bench.check(make_wheel(tmp_path), *bench.layers(), trial)
    assert artifact.state is ArtifactState.VALIDATED
    assert [(f.detail, f.severity) for f in artifact.findings] == [("a thread is left", "warning")]


def test_a_trial_that_cannot_be_run_is_not_the_artifacts_fault(
    bench: Bench, tmp_path: Path
) -> None:
    async def helpless(payload: Path, manifest: Manifest) -> PassedTrial:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    wheel = make_wheel(tmp_path)
    with pytest.raises(Unavailable, match="cannot be run now"):
        bench.check(wheel, *bench.layers(), TrialLayer(helpless, bench.store.payload))
    assert bench.store.list()[0].state is ArtifactState.UPLOADED


def test_a_layer_out_of_its_place_says_so(tmp_path: Path) -> None:
    subject = Subject(digest="0" * 64, path=tmp_path, filename="x")
    with pytest.raises(LookupError, match="'form' comes first"):
        subject.wheel()
    with pytest.raises(LookupError, match="'manifest' comes first"):
        subject.declared()
