"""From the upload to a settled artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugbay.artifacts import Form, ManifestLayer, Platform, TrialLayer
from plugbay.kernel import ArtifactState

from .conftest import passing_trial
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Bench


def test_a_good_wheel_is_validated(bench: Bench, tmp_path: Path) -> None:
    trial = TrialLayer(passing_trial, bench.store.payload)
    artifact = bench.check(make_wheel(tmp_path), Form(), ManifestLayer(), Platform(), trial)
    assert artifact.findings == ()
    assert artifact.state is ArtifactState.VALIDATED
    assert (artifact.plugin, artifact.version) == ("hello", "1.0.0")
    assert bench.store.find("hello", "1.0") == artifact
