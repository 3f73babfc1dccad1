"""The layer: what each policy makes of unsigned, foreign, wrong and good signatures."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.unit.artifacts.conftest import chunked
from tests.unit.artifacts.wheels import make_wheel

from plugbay.app._clock import SystemClock
from plugbay.artifacts import (
    Artifact,
    Form,
    ManifestLayer,
    SignatureLayer,
    Subject,
    Validator,
)
from plugbay.artifacts.signing import Publisher, Rule, Trust, sign
from plugbay.kernel import ArtifactState

if TYPE_CHECKING:
    from tests.unit.artifacts.conftest import Bench

ACME, OTHER, STRANGER = (Ed25519PrivateKey.generate() for _ in range(3))
PUBLISHERS = (
    Publisher.of("acme", keys=(ACME.public_key(),)),
    Publisher.of("other", keys=(OTHER.public_key(),)),
)
RULES = (Rule(plugins=("acme-*",), publishers=("acme",)),)


def judged(
    bench: Bench, wheel: Path, key: Ed25519PrivateKey | None, trust: Trust, text: bytes = b""
) -> Artifact:
    data = wheel.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if key is not None:
        text = sign(wheel.name, digest, key, now=SystemClock().time()).encode()

    async def work() -> Artifact:
        upload = await bench.uploader.receive(
            chunked(data), filename=wheel.name, by="ann", signature=lambda: text or None
        )
        layers = (Form(), ManifestLayer(), SignatureLayer(trust, SystemClock()))
        validator = Validator(bench.store, layers, SystemClock())
        return await validator.validate(upload.artifact.digest)

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("key", "said"),
    [(None, "not signed"), (STRANGER, "does not count"), (OTHER, "another publisher")],
)
@pytest.mark.parametrize("policy", ["enforce", "warn"])
def test_what_is_not_by_whom_it_should_be(
    bench: Bench, tmp_path: Path, key: Ed25519PrivateKey | None, said: str, policy: str
) -> None:
    rules = (Rule(plugins=("acme-*",), publishers=("acme",), policy=policy),)  # type: ignore[arg-type]  # a parameter
    trust = Trust(publishers=PUBLISHERS, rules=rules)
    artifact = judged(bench, make_wheel(tmp_path, id="acme-jwt"), key, trust)
    (finding,) = artifact.findings
    assert said in finding.detail
    assert finding.expected == "a signature by acme"
    assert "plugbay sign" in finding.remedy
    assert (artifact.state, finding.severity) == (
        (ArtifactState.REJECTED, "error")
        if policy == "enforce"
        else (ArtifactState.VALIDATED, "warning")
    )


def test_who_has_signed_is_kept(bench: Bench, tmp_path: Path) -> None:
    trust = Trust(publishers=PUBLISHERS, rules=RULES)
    artifact = judged(bench, make_wheel(tmp_path, id="acme-jwt"), ACME, trust)
    assert artifact.state is ArtifactState.VALIDATED
    kept = bench.store.get(artifact.digest)
    assert kept.provenance is not None
    assert (kept.provenance.publisher, kept.provenance.problems) == ("acme", ())


def test_without_a_policy_it_is_only_written_down(bench: Bench, tmp_path: Path) -> None:
    trust = Trust(publishers=PUBLISHERS)
    bad = judged(bench, make_wheel(tmp_path, id="one"), None, trust, b"nonsense")
    assert (bad.state, bad.findings) == (ArtifactState.VALIDATED, ())
    assert bad.provenance is not None
    assert "no DSSE envelope" in bad.provenance.problems[0]
    assert judged(bench, make_wheel(tmp_path, id="two"), None, trust).provenance is None


@pytest.mark.parametrize(("rules", "refused"), [(RULES, True), ((), False)])
def test_a_program_that_nobody_has_named_yet(rules: tuple[Rule, ...], refused: bool) -> None:
    subject = Subject(digest="ab" * 32, path=Path("program"), filename="program")
    layer = SignatureLayer(Trust(publishers=PUBLISHERS, rules=rules), SystemClock())
    findings = asyncio.run(layer.inspect(subject))
    assert [finding.expected for finding in findings] == ["a manifest with the upload"] * refused
