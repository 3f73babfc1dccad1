"""Measures, and trains, by an access log: `python -m plugbay_ratelimit_ml.evaluate --help`.

The log is replayed in its order through the profiles that the plugin keeps. The model learns
online of the first share of it; of the rest each client's last state is scored. The label is
whether most requests of a client name a crawler: weak, and the name is no feature.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ._agents import says_so
from ._config import Config
from ._online import Online
from ._profile import Profile, Profiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_LINE: Final = re.compile(
    r'(\S+) \S+ \S+ \[([^]]+)] "[A-Z]+ (\S+)[^"]*" (\d{3}) \S+ "([^"]*)" "([^"]*)"'
)
LEARN: Final = 0.6
IDLE: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Line:
    """One request of the log."""

    time: float
    client: str
    target: str
    status: int
    referer: str
    agent: str

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Sample:
    """One client of the later part: whether it is software, how it behaves, how it scored."""

    hostile: bool
    known: bool
    features: dict[str, float]
    score: float


def lines(path: Path) -> Iterator[Line]:
    """Yield the requests of a log in the combined format."""
    raw = path.read_bytes()
    plain = gzip.decompress(raw) if path.suffix == ".gz" else raw
    for text in io.StringIO(plain.decode("utf-8", "replace")):
        found = _LINE.match(text)
        if found is not None:
            client, when, target, status, referer, agent = found.groups()
            stamp = datetime.strptime(when, "%d/%b/%Y:%H:%M:%S %z").timestamp()
            yield Line(stamp, client, target, int(status), referer, agent)


def crawlers(path: Path | None) -> Callable[[str], bool]:
    """Return what tells crawlers by their name: a published list, else the plugin's own words."""
    if path is None:
        return says_so
    patterns = [re.compile(entry["pattern"]) for entry in json.loads(path.read_text())]
    known: dict[str, bool] = {}

    def tell(agent: str) -> bool:
        if agent not in known:
            known[agent] = any(pattern.search(agent) for pattern in patterns)
        return known[agent]

    return tell


def replay(
    log: Sequence[Line], software: Callable[[str], bool], model: Online, *, least: int = 3
) -> list[Sample]:
    """Learn of the first share of the log; return who came later, by their last state."""
    cut = int(len(log) * LEARN)
    profiles = Profiles(1_000_000, IDLE, least)
    names: dict[str, Counter[bool]] = {}
    early: set[str] = set()
    late: dict[str, Profile] = {}
    for at, line in enumerate(log):
        profile = profiles.of(line.client, line.agent, line.time)
        names.setdefault(line.client, Counter())[software(line.agent)] += 1
        due = profile.update(
            line.time, line.path, line.referer not in ("", "-"), line.status >= 400
        )
        if at < cut:
            early.add(line.client)
            if due:
                model.learn(profile.features(), software(profile.agent))
        elif profile.total >= least:
            late[line.client] = profile
    return [
        Sample(
            names[client][True] > names[client][False],
            client in early,
            profile.features(),
            model.score(profile.features()),
        )
        for client, profile in late.items()
    ]


def auc(samples: Sequence[Sample], score: Callable[[Sample], float]) -> float:
    """Return how likely software scores above others; ties count half. Neither may be missing."""
    bad = [score(sample) for sample in samples if sample.hostile]
    good = [score(sample) for sample in samples if not sample.hostile]
    above = sum((one > other) + 0.5 * (one == other) for one in bad for other in good)
    return above / (len(bad) * len(good))


def found_at(samples: Sequence[Sample], score: Callable[[Sample], float], rate: float) -> float:
    """Return the share of software found when at most `rate` of the others are."""
    good = sorted((score(s) for s in samples if not s.hostile), reverse=True)
    limit = good[int(len(good) * rate)]
    bad = [score(sample) for sample in samples if sample.hostile]
    return sum(one > limit for one in bad) / len(bad)


def threshold(samples: Sequence[Sample], rate: float) -> float:
    """Return the score that at most `rate` of those who are no software are above."""
    good = sorted((sample.score for sample in samples if not sample.hostile), reverse=True)
    return good[int(len(good) * rate)] if good else 1.0


def judged(samples: Sequence[Sample], limit: float) -> str:
    """Say whom a threshold finds: F1, how many of the software, and how many others."""
    count = sum(sample.hostile for sample in samples)
    right = sum(sample.score > limit for sample in samples if sample.hostile)
    wrong = sum(sample.score > limit for sample in samples if not sample.hostile)
    measure = 2 * right / max(1, right + wrong + count)
    return f"F1 {measure:.3f}, {right} of {count} found, {wrong} of {len(samples) - count} others"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how the model does beside the rule that counts assets."""
    parser = argparse.ArgumentParser(prog="python -m plugbay_ratelimit_ml.evaluate")
    parser.add_argument("log", type=Path, help="access log in the combined format")
    parser.add_argument("--crawlers", type=Path, help="JSON list of patterns of user agents")
    parser.add_argument("--out", type=Path, help="where to write a model of the whole log")
    asked = parser.parse_args(arguments)
    log, software = sorted(lines(asked.log), key=_when), crawlers(asked.crawlers)
    began, model = time.perf_counter(), Online()
    _say(f"river is imported in {time.perf_counter() - began:.1f} s")
    samples = replay(log, software, model)
    _say(f"{len(log)} requests; learned of {model.samples} states, {model.hostile} of software")
    for name, group in (
        ("all clients of the later part", samples),
        ("clients that are new there", [sample for sample in samples if not sample.known]),
    ):
        _compare(name, group)
    _say(f"weights: {model.weights()}; drifts: {model.drifts}")
    if asked.out is not None:
        whole = Online()
        profiles = Profiles(1_000_000, IDLE, 3)
        for line in log:
            profile = profiles.of(line.client, line.agent, line.time)
            referred = line.referer not in ("", "-")
            if profile.update(line.time, line.path, referred, line.status >= 400):
                whole.learn(profile.features(), software(profile.agent))
        asked.out.write_text(json.dumps(whole.dump(), indent=1) + "\n")
    return 0


def _compare(name: str, samples: Sequence[Sample]) -> None:
    count = sum(sample.hostile for sample in samples)
    _say(f"{name}: {len(samples)}, {count} of software")
    if not 0 < count < len(samples):
        return
    for title, score in (("online model", _learned), ("asset-ratio rule", _rule)):
        found = "  ".join(
            f"TPR@{100 * rate:g}% {found_at(samples, score, rate):.3f}"
            for rate in (0.05, 0.01, 0.001)
        )
        _say(f"  {title}: AUC {auc(samples, score):.3f}  {found}")
    # Half of the clients choose the threshold, and only the others are reported by it.
    chosen, holdout = samples[::2], samples[1::2]
    limit = threshold(chosen, 0.01)
    _say(f"  threshold for 1% false alarms, by {len(chosen)} of the clients: {limit:.3f}")
    for title, at in (("that", limit), ("the default", Config().block_from)):
        _say(f"  {len(holdout)} others, by {title}: {judged(holdout, at)}")


def _learned(sample: Sample) -> float:
    return sample.score


def _when(line: Line) -> float:
    return line.time


def _rule(sample: Sample) -> float:
    return 1.0 - sample.features["assets"]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
