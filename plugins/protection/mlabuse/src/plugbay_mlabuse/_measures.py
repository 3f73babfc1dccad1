"""How well scores tell two classes apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Area under the curve, F1 at the threshold, and the share found at two rates of false alarms.

    `false` and `true` are the rates at the threshold.
    """

    auc: float
    f1: float
    tpr_01: float
    tpr_001: float
    false: float
    true: float

    def __str__(self) -> str:
        return (
            f"AUC {self.auc:.4f}  F1 {self.f1:.4f}  TPR@1% {self.tpr_01:.4f}  "
            f"TPR@0.1% {self.tpr_001:.4f}  at the threshold: FPR {self.false:.4%}, "
            f"TPR {self.true:.4f}"
        )


def measure(
    benign: NDArray[np.float64], hostile: NDArray[np.float64], threshold: float
) -> Measures:
    """Compare the scores of two classes; neither may be empty."""
    false, true = float((benign > threshold).mean()), float((hostile > threshold).mean())
    wrong, right = int((benign > threshold).sum()), int((hostile > threshold).sum())
    return Measures(
        auc=auc(benign, hostile),
        f1=2 * right / max(1, 2 * right + wrong + (len(hostile) - right)),
        tpr_01=float((hostile > limit(benign, 0.01)).mean()),
        tpr_001=float((hostile > limit(benign, 0.001)).mean()),
        false=false,
        true=true,
    )


def auc(benign: NDArray[np.float64], hostile: NDArray[np.float64]) -> float:
    """Return how likely a hostile one scores above a benign one; ties count half (Mann-Whitney)."""
    _, inverse, counts = np.unique(
        np.concatenate([benign, hostile]), return_inverse=True, return_counts=True
    )
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives, negatives = len(hostile), len(benign)
    above = float(ranks[negatives:].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def limit(benign: NDArray[np.float64], rate: float) -> float:
    """Return the lowest score that at most `rate` of the benign ones are above."""
    ordered = np.sort(benign)[::-1]
    return float(ordered[min(len(ordered) - 1, int(len(ordered) * rate))])
