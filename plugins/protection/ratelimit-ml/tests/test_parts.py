"""The parts: profiles, crowds, the online model, and what it is worth on a real log."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from plugbay_ratelimit_ml import evaluate
from plugbay_ratelimit_ml._agents import says_so
from plugbay_ratelimit_ml._crowd import MOST, Crowd
from plugbay_ratelimit_ml._online import WARM, Online, StateRefused, parsed
from plugbay_ratelimit_ml._profile import FULL, Profile, Profiles
from plugbay_ratelimit_ml._usual import Usual
from plugbay_ratelimit_ml.evaluate import Sample, judged, threshold

DATA = Path(__file__).parent / "data"


def profile(*paths: str, gap: float = 1.0, referred: bool = False, failed: bool = False) -> Profile:
    made = Profile("", 0.0, 3)
    for n, path in enumerate(paths):
        made.update(n * gap, path, referred, failed)
    return made


# --- profiles


def test_features_are_shares_and_rates() -> None:
    page = profile("/", "/a.css", "/b.js", "/c.png?v=1", referred=True).features()
    assert page["assets"] == 0.5  # what the last is, its query hides
    assert page["referers"] == 1.0
    assert page["errors"] == 0.0
    assert page["distinct"] > 0.4  # by random hashes: paths may share a bit
    same = profile(*["/x"] * 40, failed=True).features()
    assert same["errors"] == 1.0
    assert same["distinct"] < 0.05
    quick, slow = profile(*["/"] * 30, gap=0.1).features(), profile(*["/"] * 30, gap=30).features()
    assert quick["rate"] > slow["rate"]
    assert profile("/", "/").features()["distinct"] == 1.0


def test_what_is_old_counts_less_and_space_is_bounded() -> None:
    made = profile(*[f"/{n}.css" for n in range(FULL - 1)])
    assert made.features()["assets"] == 1.0
    for n in range(10 * FULL):
        made.update(1000.0 + n, f"/{n}", False, False)
    features = made.features()
    assert features["assets"] < 0.01
    assert features["distinct"] > 0.7  # an estimate, by random hashes
    assert made.seen <= FULL
    assert all(math.isfinite(value) for value in features.values())


def test_time_that_goes_back_does_no_harm() -> None:
    made = profile("/")
    made.update(-100.0, "/", False, False)
    assert all(math.isfinite(value) for value in made.features().values())


def test_a_client_is_due_at_first_often_then_seldom() -> None:
    made = Profile("", 0.0, 5)
    due = [n for n in range(1, 500) if made.update(float(n), "/", False, False)]
    assert due[:4] == [5, 10, 20, 40]
    assert all(later - sooner == 50 for sooner, later in pairwise(due[6:]))


def test_profiles_are_bounded_and_the_quiet_go_first() -> None:
    kept = Profiles(3, 100.0, 5)
    first = kept.of("a", "x" * 999, 0.0)
    assert len(first.agent) == 256
    kept.of("b", "", 1.0)
    kept.of("c", "", 2.0)
    assert kept.of("a", "", 3.0) is first
    kept.of("d", "", 4.0)
    assert kept.get("b") is None
    assert (len(kept), kept.dropped) == (3, 1)
    assert kept.of("a", "", 200.0) is not first  # it was away for long
    kept.forget("a")
    kept.forget("a")
    assert len(kept) == 2


# --- crowds


def test_many_at_once_are_an_attack_and_who_joins_too() -> None:
    crowd = Crowd(3, 3.0, 60.0)
    assert crowd.add("a", 0.0) == ()
    assert crowd.add("a", 1.0) == ()
    assert crowd.add("b", 2.0) == ()
    assert crowd.add("c", 3.0) == ("a", "b", "c")
    assert crowd.going_on(3.0)
    assert crowd.add("d", 4.0) == ("d",)
    assert crowd.add("d", 5.0) == ()
    assert not crowd.going_on(500.0)
    assert crowd.add("e", 500.0) == ()  # the others are long ago
    crowd.forget("e")
    assert len(crowd) == 0


def test_what_is_usual_is_no_attack() -> None:
    crowd = Crowd(3, 3.0, 60.0)
    for window in range(100):
        now = 60.0 * window
        crowd.add(f"a{window}", now + 1)
        crowd.add(f"b{window}", now + 2)
        crowd.tick(now + 59)
        crowd.tick(now + 59.5)
    assert crowd.usual == pytest.approx(2.0, abs=0.1)
    assert crowd.limit == pytest.approx(6.0, abs=0.3)
    assert not any(crowd.add(f"c{n}", 10_000.0) for n in range(5))
    assert len(crowd.add("c5", 10_000.0)) == 6
    before = crowd.usual
    crowd.tick(10_001.0)
    assert crowd.usual == before  # an attack is not usual


def test_a_crowd_is_bounded() -> None:
    crowd = Crowd(10**6, 1.0, 60.0)
    for n in range(MOST + 10):
        crowd.add(str(n), 1.0)
    assert len(crowd) == MOST


# --- the model

PERSON = profile("/", "/a.css", "/b.js", "/c.png", referred=True).features()
SOFTWARE = profile(*[f"/{n}" for n in range(30)]).features()


def taught(count: int = 4 * WARM) -> Online:
    model = Online()
    for n in range(count):
        model.learn(SOFTWARE if n % 4 == 0 else PERSON, n % 4 == 0)
    return model


def test_it_learns_tells_and_hands_on() -> None:
    model = taught()
    assert model.warm
    assert model.score(SOFTWARE) > 0.8 > 0.3 > model.score(PERSON)
    assert next(iter(model.reasons(SOFTWARE).values())) > 0
    other = Online()
    assert not other.warm
    assert other.score(SOFTWARE) == 0.5
    other.load(json.loads(json.dumps(model.dump())))
    assert other.score(SOFTWARE) == pytest.approx(model.score(SOFTWARE))
    assert other.weights() == model.weights()
    for each in (model, other):
        each.learn(SOFTWARE, True)
    assert other.score(PERSON) == pytest.approx(model.score(PERSON))


def test_drift_is_noticed() -> None:
    model = taught()
    before = model.drifts
    assert any(model.learn(PERSON, True) for _ in range(400))
    assert model.drifts > before


def test_a_state_that_is_none_changes_nothing() -> None:
    model = taught()
    good, score = model.dump(), model.score(SOFTWARE)
    many = {str(n): 1.0 for n in range(100)}
    wrong: list[dict[str, Any]] = [
        {},
        {**good, "format": 2},
        {**good, "weights": [1]},
        {**good, "weights": many},
        {**good, "means": {"a": "x"}},
        {**good, "intercept": math.nan},
        {**good, "samples": "many"},
    ]
    for state in wrong:
        with pytest.raises(StateRefused):
            model.load(state)
    assert model.score(SOFTWARE) == score
    for text in (b"\xff", b"[1]"):
        with pytest.raises(StateRefused):
            parsed(text)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
        ("curl/8.5.0", True),
        ("", True),
        ("-", True),
        ("Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 Chrome/32.0 Safari/537.36", False),
    ],
)
def test_who_says_so_is_software(agent: str, expected: bool) -> None:
    assert says_so(agent) == expected


# --- on a real log


def test_it_beats_chance_on_a_real_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "prior.json"
    log, names = str(DATA / "access.log.gz"), str(DATA / "crawlers.json")
    assert evaluate.main([log, "--crawlers", names, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "1500 requests" in said
    assert "asset-ratio rule: AUC" in said
    fresh = Online()
    fresh.load(json.loads(out.read_text()))
    assert fresh.samples > 100
    lines = sorted(evaluate.lines(DATA / "access.log.gz"), key=lambda line: line.time)
    samples = evaluate.replay(lines, evaluate.crawlers(DATA / "crawlers.json"), Online())
    assert evaluate.auc(samples, lambda sample: sample.score) > 0.7
    assert evaluate.found_at(samples, lambda sample: sample.score, 0.2) > 0.3
    assert evaluate.crawlers(None)("curl/8.0")


def test_one_kind_alone_is_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate._compare("nobody", [])
    assert capsys.readouterr().out == "nobody: 0, 0 of software\n"


# --- what is usual


def test_what_is_rare_follows_the_scores() -> None:
    usual = Usual(0.01)
    for n in range(99):
        usual.add(n / 1000)
    assert usual.limit == 0.0  # too few are known
    for n in range(101):
        usual.add(0.5 + n / 1000)
    assert usual.limit == 0.598  # two of 200 are above
    for _ in range(1000):
        usual.add(0.1)
    assert usual.limit == 0.1
    everything = Usual(1.0)
    for n in range(100):
        everything.add(n / 100)
    assert everything.limit == 0.0


def test_half_of_the_clients_choose_and_the_others_judge() -> None:
    samples = [Sample(n < 20, False, {}, 0.9 if n < 15 else n / 250) for n in range(220)]
    limit = threshold(samples[::2], 0.01)
    assert limit == 0.864
    assert judged(samples[1::2], limit) == "F1 0.737, 7 of 10 found, 2 of 100 others"
    assert threshold([], 0.01) == 1.0
