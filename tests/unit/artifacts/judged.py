"""What the layers say of a file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugbay.artifacts import Artifact, Declaration, Finding

    from .conftest import Bench


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
