"""Logistic regression over hashed n-grams, by L-BFGS (Nocedal and Wright, algorithm 7.5)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from ._grams import SIZE, grams
from ._model import spans
from ._text import framed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Loss = Callable[[Vector], tuple[float, Vector]]

MEMORY: Final = 10
ENOUGH: Final = 1e-5


class Samples:
    """Windows of texts as rows of a sparse matrix; each has the weight and class of its text."""

    def __init__(
        self, texts: Sequence[bytes], hostile: Sequence[bool], weights: Sequence[float]
    ) -> None:
        starts, sizes = spans(texts)
        columns = np.stack(grams(framed(texts)), axis=1)
        # Rows are made by position, three n-grams at each.
        self._columns = columns.reshape(-1).astype(np.int32)
        self._starts = np.asarray(starts) * 3
        self._sizes = np.asarray(sizes)
        windows = [len(spans([text])[0]) for text in texts]
        self._signs = np.repeat(np.where(np.asarray(hostile), 1.0, -1.0), windows)
        self._weights = np.repeat(np.asarray(weights, np.float64), windows)
        self._weights /= self._weights.sum()
        self._roots = 1 / np.sqrt(self._sizes)

    def loss(self, vector: Vector, penalty: float) -> tuple[float, Vector]:
        """Return the mean logistic loss with its L2 penalty, and the gradient."""
        sums = np.add.reduceat(vector[self._columns], self._starts) * self._roots
        margins = self._signs * sums
        value = float((self._weights * np.logaddexp(0.0, -margins)).sum())
        pull = -self._signs * self._weights * np.exp(-np.logaddexp(0.0, margins)) * self._roots
        every = np.repeat(pull, self._sizes * 3)
        gradient = np.bincount(self._columns, weights=every, minlength=SIZE)
        return value + 0.5 * penalty * float(vector @ vector), gradient + penalty * vector


def fit(samples: Samples, *, penalty: float, most: int) -> NDArray[np.float32]:
    """Return the weights that fit the samples, after at most so many steps."""
    found = descend(lambda vector: samples.loss(vector, penalty), np.zeros(SIZE), most)
    return found.astype(np.float32)


def descend(loss: Loss, start: Vector, most: int) -> Vector:
    """Return where a smooth convex function is about lowest."""
    pairs: deque[tuple[Vector, Vector]] = deque(maxlen=MEMORY)
    vector, (value, gradient) = start, loss(start)
    for _ in range(most):
        direction = _direction(gradient, pairs)
        slope = float(gradient @ direction)
        step = 1.0 if pairs else 1.0 / max(1e-12, float(np.abs(gradient).max()))
        while True:
            moved = vector + step * direction
            lower, turned = loss(moved)
            if lower <= value + 1e-4 * step * slope or step < 1e-10:
                break
            step *= 0.5
        change, bend = moved - vector, turned - gradient
        if float(change @ bend) > 1e-12:
            pairs.append((change, bend))
        done = value - lower < ENOUGH * abs(value)
        vector, value, gradient = moved, lower, turned
        if done:
            break
    return vector


def _direction(gradient: Vector, pairs: deque[tuple[Vector, Vector]]) -> Vector:
    direction, steps = -gradient, list[tuple[float, float]]()
    for change, bend in reversed(pairs):
        rho = 1.0 / float(bend @ change)
        alpha = rho * float(change @ direction)
        steps.append((rho, alpha))
        direction = direction - alpha * bend
    if pairs:
        change, bend = pairs[-1]
        direction = direction * (float(change @ bend) / float(bend @ bend))
    for (change, bend), (rho, alpha) in zip(pairs, reversed(steps), strict=True):
        direction = direction + (alpha - rho * float(bend @ direction)) * change
    return direction
