"""The layer `trial` with the real trial: what a plugin does is a finding, and then it is gone."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from plugbay.artifacts import Form, ManifestLayer, Platform, TrialLayer, validation_layers
from plugbay.kernel import ArtifactState
from plugbay.runtimes import TrialLimits, run_trial

from .wheels import MANIFEST, SOURCE, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from plugbay.artifacts import Artifact

    from .conftest import Bench

SHORT = TrialLimits(seconds=20, cpu_seconds=2, memory_mb=512)


def tried(bench: Bench, wheel: Path) -> Artifact:
    """Without the layer `static`, which would find some of it first."""
    trial = TrialLayer(partial(run_trial, limits=SHORT), bench.store.payload)
    return bench.check(wheel, Form(), ManifestLayer(), Platform(), trial)


def test_a_good_plugin_passes_all_five_layers(bench: Bench, tmp_path: Path) -> None:
    artifact = bench.check(make_wheel(tmp_path), *validation_layers(bench.store, run_trial))
    assert artifact.state is ArtifactState.VALIDATED
    assert [report.result for report in artifact.layers] == ["passed"] * 5
    assert [finding for finding in artifact.findings if finding.severity == "error"] == []
    assert artifact.hooks == ("on_request",)
    assert artifact.config_schema is not None
    assert "greeting" in str(artifact.config_schema)
    assert artifact.timings
    assert bench.store.get(artifact.digest) == artifact


def test_several_modules_and_data_are_tried_as_they_will_run(bench: Bench, tmp_path: Path) -> None:
    source = SOURCE.replace(
        "return None",
        "from plugbay_hello.greet import word\n        assert word() == 'hi'\n        return None",
    )
    greet = "from importlib.resources import files\n"
    greet += "def word(): return files(__package__).joinpath('word.txt').read_text()\n"
    files = {"plugbay_hello/greet.py": greet, "plugbay_hello/word.txt": "hi"}
    artifact = tried(bench, make_wheel(tmp_path, source=source, files=files))
    assert artifact.state is ArtifactState.VALIDATED, artifact.findings


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("import no_such_module\n" + SOURCE, "no_such_module"),
        ("1 / 0\n" + SOURCE, "ZeroDivisionError"),
        ("import os; os._exit(0)\n" + SOURCE, "ended its process"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n" + SOURCE, "SIGSEGV"),
        ("while True: pass\n" + SOURCE, "processor time"),
        ("x = bytearray(2 << 30)\n" + SOURCE, "MemoryError"),
        ("while True: print('x' * 100000)\n" + SOURCE, "printed too much"),
        (SOURCE.replace("(self, request: Request)", "(self)"), "on_request"),
        (SOURCE.replace("Hello", "Other"), "Hello"),
        (SOURCE.replace("(Plugin[Config], RequestFilter)", ""), "Plugin"),
        (SOURCE + "    async def start(self): raise OSError('no port')\n", "no port"),
        (SOURCE + "    async def health(self): raise OSError('sick')\n", "sick"),
    ],
    ids=[
        "import",
        "raise",
        "exit",
        "crash",
        "loop",
        "memory",
        "flood",
        "signature",
        "entry",
        "base",
        "start",
        "health",
    ],
)
def test_a_bad_plugin_is_rejected_and_gone(
    bench: Bench, tmp_path: Path, source: str, word: str
) -> None:
    artifact = tried(bench, make_wheel(tmp_path, source=source))
    assert [report.result for report in artifact.layers] == ["passed"] * 3 + ["failed"]
    assert artifact.state is ArtifactState.REJECTED
    said = " ".join(f"{f.detail} {f.expected} {f.found}" for f in artifact.findings)
    assert word in said
    assert bench.leftovers() == []


def test_a_capability_that_is_not_inherited_is_found(bench: Bench, tmp_path: Path) -> None:
    text = MANIFEST.format(id="hello", version="1.0.0", package="plugbay_hello")
    artifact = tried(
        bench, make_wheel(tmp_path, manifest=text.replace("request-filter", "observer"))
    )
    assert artifact.state is ArtifactState.REJECTED
    assert artifact.findings[0].pointer == "/provides"


def test_cancelling_a_trial_leaves_the_artifact_to_be_tried_again(
    bench: Bench, tmp_path: Path
) -> None:
    async def scenario() -> None:
        artifact = await bench.upload(make_wheel(tmp_path))
        events: asyncio.Queue[str] = asyncio.Queue()
        validator = bench.validator(*validation_layers(bench.store, run_trial))
        work = asyncio.ensure_future(
            validator.validate(artifact.digest, lambda event: events.put_nowait(event.layer))
        )
        while await events.get() != "trial":
            pass
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert bench.store.get(artifact.digest).state is ArtifactState.UPLOADED
        again = await validator.validate(artifact.digest)
        assert again.state is ArtifactState.VALIDATED

    asyncio.run(scenario())
