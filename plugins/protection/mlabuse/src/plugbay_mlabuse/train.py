"""Trains and measures a model: `python -m plugbay_mlabuse.train --help`."""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ._corpus import httpparams, phrases, placed, queries, referers, targets
from ._fit import Samples, fit
from ._measures import limit, measure
from ._model import Facts, Model
from ._text import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

RATE: Final = 0.001
"""False alarms that the threshold is calibrated for, of the harmless requests of each origin that
are held back for it; where these are fewer than a thousand, none."""
LEAST: Final = 1.0
"""The lowest threshold, whatever the calibration says: rare is not never."""
PENALTY: Final = 1e-6
STEPS: Final = 40
SEED: Final = 7


@dataclass(slots=True)
class Part:
    """Requests of one origin: pieces to learn from, to calibrate with and to be measured by."""

    name: str
    hostile: bool
    learn: list[bytes] = field(default_factory=list[bytes])
    calibrate: list[list[bytes]] = field(default_factory=list[list[bytes]])
    test: list[list[bytes]] = field(default_factory=list[list[bytes]])


def main(arguments: Sequence[str] | None = None) -> int:
    """Train by what the arguments name; print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m plugbay_mlabuse.train", description=__doc__)
    parser.add_argument("--httpparams", type=Path, nargs=2, metavar=("TRAIN", "TEST"))
    parser.add_argument("--queries", type=Path, help="JSON list of hostile query strings")
    parser.add_argument("--log", type=Path, help="access log of harmless requests")
    parser.add_argument("--text", type=Path, nargs="*", default=[], help="files of ordinary prose")
    parser.add_argument("--holdout", type=Path, nargs="*", default=[], help="prose to test only")
    parser.add_argument("--out", type=Path, help="where to write the model (.npz)")
    parser.add_argument("--version", default="1")
    parser.add_argument("--cross", action="store_true", help="also train on one set, test on other")
    parser.add_argument("--steps", type=int, default=STEPS)
    asked = parser.parse_args(arguments)
    parts = list(read(asked.httpparams, asked.queries, asked.log, asked.text))
    parts += untouched(asked.holdout)
    if len({part.hostile for part in parts}) < 2:
        parser.error("name files with both: harmless requests, and attacks")
    if asked.cross:
        cross(parts, asked.steps)
    model = train(parts, version=asked.version, steps=asked.steps)
    measured = report(model, parts)
    if asked.out is not None:
        model.facts = replace(model.facts, measured=measured)
        content = model.dump()
        asked.out.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        asked.out.with_suffix(".sha256").write_text(f"{digest}\n")
        _say(f"{asked.out}: {len(content)} bytes, sha256 {digest}")
    return 0


def read(
    params: Sequence[Path] | None,
    attacks: Path | None,
    log: Path | None,
    prose: Sequence[Path] = (),
) -> Iterable[Part]:
    """Yield the parts. Of a log the first 3/7 are learned from, 1/7 calibrates, 3/7 are tested."""
    chance = random.Random(SEED)  # noqa: S311 - to repeat it
    if params is not None:
        yield from _of_params(params[0], params[1], chance)
    if attacks is not None:
        values = placed(list(queries(attacks)), chance)
        chance.shuffle(values)
        cut = len(values) * 3 // 4
        yield Part("queries", True, values[:cut], [], [[value] for value in values[cut:]])
    if log is not None:
        yield from _of_targets("log", list(targets(log)))
        yield from _of_targets("log's referers", list(referers(log)))
    if prose:
        texts = placed([text for path in prose for text in phrases(path, chance)], chance)
        chance.shuffle(texts)
        learn, cut = len(texts) * 3 // 7, len(texts) * 4 // 7
        held = [[text] for text in texts[learn:]]
        yield Part("prose", False, texts[:learn], held[: cut - learn], held[cut - learn :])


def untouched(paths: Sequence[Path]) -> list[Part]:
    """Return prose of other authors, of which nothing is learned, nor calibrated by."""
    chance = random.Random(SEED)  # noqa: S311 - to repeat it
    return [
        Part(
            f"holdout: {path.stem}",
            False,
            test=[[text] for text in placed(list(phrases(path, chance)), chance)],
        )
        for path in paths
    ]


def _of_targets(name: str, found: Sequence[bytes]) -> Iterable[Part]:
    learn, cut = len(found) * 3 // 7, len(found) * 4 // 7
    known = list(dict.fromkeys(piece for target in found[:learn] for piece in pieces(target)))
    yield Part(name, False, known, _each(found[learn:cut]), _each(found[cut:]))
    unseen = set(found[cut:]) - set(found[:cut])
    yield Part(f"{name}, unseen", False, [], [], _each(sorted(unseen)))


def _of_params(train: Path, test: Path, chance: random.Random) -> Iterable[Part]:
    rows, later = list(httpparams(train)), list(httpparams(test))
    for kind in sorted({kind for _, kind in rows}):
        values = placed([value for value, found in rows if found == kind], chance)
        tests = placed([value for value, found in later if found == kind], chance)
        hostile = kind != "norm"
        cut = len(values) if hostile else len(values) * 4 // 5
        held = [[value] for value in values[cut:]]
        yield Part(f"params: {kind}", hostile, values[:cut], held, [[value] for value in tests])


def train(parts: Sequence[Part], *, version: str = "1", steps: int = STEPS) -> Model:
    """Return a model of what the parts have to learn from, calibrated by what is held back.

    Each class weighs the same; so does each harmless origin within its class.
    """
    began = time.perf_counter()
    texts: list[bytes] = []
    hostile: list[bool] = []
    weights: list[float] = []
    peaceful = sum(1 for part in parts if part.learn and not part.hostile)
    attacks = sum(len(part.learn) for part in parts if part.hostile)
    for part in parts:
        texts += part.learn
        hostile += [part.hostile] * len(part.learn)
        each = attacks if part.hostile else peaceful * len(part.learn)
        weights += [1 / max(1, each)] * len(part.learn)
    found = fit(Samples(texts, hostile, weights), penalty=PENALTY, most=steps)
    names = ", ".join(part.name for part in parts if part.learn)
    model = Model(found, Facts(version, LEAST, names, {}))
    # Each origin by itself: one with many requests must not outvote one with few.
    held = [scores(model, part.calibrate) for part in parts if part.calibrate and not part.hostile]
    threshold = max([LEAST, *(limit(found, RATE) for found in held)])
    _say(f"learned from {len(texts)} texts in {time.perf_counter() - began:.0f} s: {names}")
    return Model(found, Facts(version, round(threshold, 3), names, {}))


def scores(model: Model, requests: Sequence[Sequence[bytes]]) -> NDArray[np.float64]:
    """Return the score of each request, as the plugin would."""
    return np.array([model.score(request) for request in requests])


def report(model: Model, parts: Sequence[Part]) -> dict[str, float]:
    """Print how the model does on what it has not seen; return the rates at the threshold."""
    measured: dict[str, float] = {}
    threshold = model.facts.threshold
    _say(f"threshold {threshold}")
    found = {part.name: scores(model, part.test) for part in parts if part.test}
    benign = [part for part in parts if not part.hostile and part.test]
    bad = np.concatenate([found[part.name] for part in parts if part.hostile and part.test])
    for part in benign:
        _say(f"  {part.name} ({len(part.test)}) against all attacks ({len(bad)}):")
        both = measure(found[part.name], bad, threshold)
        measured[f"false positives, {part.name}"] = round(both.false, 6)
        measured[f"AUC, {part.name}"] = round(both.auc, 6)
        _say(f"    {both}")
        count = int((found[part.name] > threshold).sum())
        _say(f"    false positives: {count} of {len(part.test)}")
    for part in parts:
        if part.hostile and part.test:
            share = float((found[part.name] > threshold).mean())
            measured[f"found, {part.name}"] = round(share, 6)
            _say(f"  {part.name}: found {share:.4f} of {len(part.test)}")
    return measured


def cross(parts: Sequence[Part], steps: int) -> None:
    """Print how a model does on sets of which it knows neither the attacks nor the harmless."""
    params = [part for part in parts if part.name.startswith("params")]
    others = [part for part in parts if part not in params]
    for known, other in ((params, others), (others, params)):
        names = [", ".join(part.name for part in group) or "nothing" for group in (known, other)]
        if any({part.hostile for part in group} != {True, False} for group in (known, other)):
            _say(f"cross: no harmless requests or no attacks in {names[0]}, or in {names[1]}")
            continue
        _say(f"cross: {names[0]} learned; {names[1]} tested")
        report(train(known, steps=steps), other)


def _each(found: Iterable[bytes]) -> list[list[bytes]]:
    return [pieces(target) for target in found]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
