"""The online model: logistic regression over standardized features, and an alarm for drift."""

from __future__ import annotations

import json
from importlib import import_module
from math import isfinite, log
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

RATE: Final = 0.03
HEAVIER: Final = 2.0
"""What a hostile sample counts: they are few."""
WARM: Final = 200
"""Samples before what the model says counts, and `WARM_HOSTILE` hostile ones."""
WARM_HOSTILE: Final = 20
FORMAT: Final = 1


class StateRefused(ValueError):
    """What should be the state of a model is not."""


class Online:
    """Learns sample by sample. To make one imports river, which takes seconds: use a thread."""

    def __init__(self) -> None:
        linear: Any = import_module("river.linear_model")
        preprocessing: Any = import_module("river.preprocessing")
        optim: Any = import_module("river.optim")
        drift: Any = import_module("river.drift")
        self._vector: Any = import_module("river.utils").VectorDict
        self._scaler: Any = preprocessing.StandardScaler()
        self._regression: Any = linear.LogisticRegression(
            optimizer=optim.SGD(RATE), l2=1e-4, intercept_lr=RATE
        )
        self._adwin: Any = drift.ADWIN(delta=0.002)
        self.samples = 0
        self.hostile = 0
        self.drifts = 0

    @property
    def warm(self) -> bool:
        """Whether it has seen enough of both kinds for its scores to mean anything."""
        return self.samples >= WARM and self.hostile >= WARM_HOSTILE

    def score(self, features: Mapping[str, float]) -> float:
        """Return from 0 to 1 how likely it is software that behaves so."""
        scaled = self._scaler.transform_one(dict(features))
        return float(self._regression.predict_proba_one(scaled).get(True, 0.5))

    def learn(self, features: Mapping[str, float], hostile: bool) -> bool:
        """Learn of one sample; return whether the model is suddenly worse or better than it was."""
        told = dict(features)
        likely = min(1 - 1e-6, max(1e-6, self.score(told)))
        self._scaler.learn_one(told)
        scaled = self._scaler.transform_one(told)
        self._regression.learn_one(scaled, hostile, w=HEAVIER if hostile else 1.0)
        self.samples += 1
        self.hostile += hostile
        self._adwin.update(-log(likely if hostile else 1 - likely))
        drifted = bool(self._adwin.drift_detected)
        self.drifts += drifted
        return drifted

    def weights(self) -> dict[str, float]:
        """Return what each standardized feature weighs."""
        return {str(k): round(float(v), 4) for k, v in self._regression.weights.items()}

    def reasons(self, features: Mapping[str, float]) -> dict[str, float]:
        """Return what each feature adds to the score, before it is made one from 0 to 1."""
        scaled = self._scaler.transform_one(dict(features))
        weights: Any = self._regression.weights
        found = {name: float(value) * float(weights[name]) for name, value in scaled.items()}
        return {k: round(v, 4) for k, v in sorted(found.items(), key=lambda item: -abs(item[1]))}

    def dump(self) -> dict[str, Any]:
        """Return the state as plain JSON. The alarm begins anew."""
        regression, scaler = self._regression, self._scaler
        return {
            "format": FORMAT,
            "samples": self.samples,
            "hostile": self.hostile,
            "intercept": float(regression.intercept),
            "weights": {str(k): float(v) for k, v in regression.weights.items()},
            "counts": {str(k): int(v) for k, v in scaler.counts.items()},
            "means": {str(k): float(v) for k, v in scaler.means.items()},
            "vars": {str(k): float(v) for k, v in scaler.vars.items()},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a state. Raises `StateRefused` for what is none; then nothing has changed."""
        try:
            if state["format"] != FORMAT:
                raise StateRefused(f"format {state['format']} is not {FORMAT}")
            tables = [_numbers(state[name]) for name in ("weights", "counts", "means", "vars")]
            intercept = _numbers({"": state["intercept"]})[""]
            samples, hostile = int(state["samples"]), int(state["hostile"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateRefused(f"no state of a model: {error}") from error
        weights, counts, means, variances = tables
        regression, scaler = self._regression, self._scaler
        # river lends copies of its weights only, so they are put where it keeps them.
        regression._weights = self._vector(weights)
        regression.intercept = intercept
        for kept, told in ((scaler.means, means), (scaler.vars, variances)):
            kept.clear()
            kept.update(told)
        scaler.counts.clear()
        scaler.counts.update({name: int(count) for name, count in counts.items()})
        self.samples, self.hostile = samples, hostile


def parsed(text: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises `StateRefused`."""
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise StateRefused("no JSON") from error
    if not isinstance(found, dict):
        raise StateRefused("no JSON object")
    return cast("dict[str, Any]", found)


def _numbers(table: Any) -> dict[str, float]:
    found = {str(name): float(value) for name, value in table.items()}
    if len(found) > 64 or not all(map(isfinite, found.values())):
        raise ValueError("not a few finite numbers")
    return found
