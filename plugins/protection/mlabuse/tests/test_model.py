"""The model: what it sees of a request, its file, its score and its reasons, and its training."""

from __future__ import annotations

import hashlib
import io
import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import plugbay_mlabuse
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plugbay_mlabuse import _fit, train
from plugbay_mlabuse._corpus import httpparams, placed, queries, targets
from plugbay_mlabuse._grams import SIZE, grams
from plugbay_mlabuse._measures import auc, limit, measure
from plugbay_mlabuse._model import WINDOW, Facts, Model, ModelRefused, shown, spans
from plugbay_mlabuse._text import LONGEST, MOST, framed, pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

DATA = Path(__file__).parent / "data"
HOME = Path(plugbay_mlabuse.__file__).parent
ARGUMENTS = [
    "--httpparams",
    str(DATA / "httpparams-train.csv"),
    str(DATA / "httpparams-test.csv"),
    "--queries",
    str(DATA / "modsec-learn.json"),
    "--log",
    str(DATA / "access.log"),
    "--text",
    str(Path(__file__).parents[1] / "README.md"),
]


def bundled() -> Model:
    return Model.load(HOME / "model.npz", (HOME / "model.sha256").read_text().strip())


@pytest.fixture(scope="module")
def model() -> Model:
    return bundled()


# --- text


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/A/b", [b"/a/b"]),
        (b"/a?X=1&y=%3CScript%3E", [b"/a", b"x=1", b"y=<script>"]),
        (b"/%2e%2e/a?b=c+D", [b"/../a", b"b=c d"]),
        (b"/?a=%253C", [b"/", b"a=%3c"]),
        (b"/?a=%2B+%zz", [b"/", b"a=+ %zz"]),
        (b"/a?", [b"/a"]),
        (b"/?&", [b"/", b"", b""]),
    ],
)
def test_pieces_are_decoded_once(target: bytes, expected: list[bytes]) -> None:
    assert pieces(target) == expected


def test_pieces_are_bounded_and_forms_are_pieces() -> None:
    assert len(pieces(b"/?" + b"a&" * 5000)) == MOST + 2
    assert (
        sum(map(len, pieces(b"/?" + b"a" * 10 * LONGEST, b"b" * 10 * LONGEST))) <= 10 * LONGEST * 2
    )
    assert len(pieces(b"/", b"b" * 10 * LONGEST)[1]) == LONGEST
    assert pieces(b"/", b"a=%41+&b=2") == [b"/", b"a=a ", b"b=2"]


@given(st.lists(st.binary(max_size=700), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_text_scores_the_same_whatever_is_beside_it(texts: list[bytes]) -> None:
    model = bundled_once()
    together = model.score(texts)
    alone = max(model.score([text]) for text in texts)
    assert together == pytest.approx(alone, abs=1e-3)
    assert model.explain(texts)[0] == pytest.approx(together, abs=1e-3)
    starts, sizes = spans(texts)
    assert starts[0] == 0
    assert starts[-1] + sizes[-1] + 2 == len(framed(texts))
    assert all(0 < size < 2 * WINDOW for size in sizes)


_KEPT: list[Model] = []


def bundled_once() -> Model:
    if not _KEPT:
        _KEPT.append(bundled())
    return _KEPT[0]


def test_grams_are_slots() -> None:
    hashes = grams(framed([b"select"]))
    assert all(len(found) == len("select") + 3 for found in hashes)
    assert all(int(found.max()) < SIZE for found in hashes)
    assert shown(b"\0a\n") == "^a\\n"


# --- the bundled model


@pytest.mark.parametrize(
    "target",
    [
        b"/item?id=1%27%20UNION%20ALL%20SELECT%20NULL%2CCONCAT%280x7171%29--",
        b"/item?id=1+AND+1%3D1+or+sleep(5)--",
        b"/?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E",
        b"/?file=../../../../etc/passwd",
        b"/?a=1&b=2&c=%22%3E%3Cimg+src%3Dx+onerror%3Dalert(1)%3E&d=hello+world",
    ],
)
def test_attacks_are_found(model: Model, target: bytes) -> None:
    assert model.score(pieces(target)) > model.facts.threshold


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/pks/lookup?op=get&options=mr&search=0x0123456789ABCDEF",
        b"/pks/lookup?op=index&search=alice%40example.org",
        b"/blog/2013/01/a-long-title-of-an-article.html?utm_source=feed&page=2",
        b"/?text=Dear+Sir,+thank+you+for+your+letter.+I+am+pleased+to+confirm+that+we+will+meet.",
        b"/?filter=price%20gt%2010%20and%20price%20lt%2020",
        b"/api/v1/users/42/orders?limit=20&offset=40&sort=created_at",
    ],
)
def test_ordinary_requests_are_not(model: Model, target: bytes) -> None:
    assert model.score(pieces(target)) < model.facts.threshold


def test_padding_does_not_hide_an_attack(model: Model) -> None:
    attack = b"1' union all select null,concat(0x7171,user())-- "
    plain = model.score([b"id=" + attack])
    assert plain > model.facts.threshold
    beside = model.score([b"/", b"text=" + b"hello good world " * 60, b"id=" + attack])
    assert beside == pytest.approx(plain, abs=1e-3)
    far = model.score([b"id=" + b"hello good world " * 60 + attack * 4])
    assert far > model.facts.threshold


def test_false_alarms_on_a_real_log_and_finds_on_real_attacks(model: Model) -> None:
    threshold = model.facts.threshold
    log = [model.score(pieces(target)) for target in targets(DATA / "access.log")]
    assert len(log) == 700
    assert sum(score > threshold for score in log) <= 1
    rows = list(httpparams(DATA / "httpparams-test.csv"))
    bad = [model.score([b"id=" + value]) for value, kind in rows if kind != "norm"]
    good = [model.score([b"id=" + value]) for value, kind in rows if kind == "norm"]
    assert (
        sum(score > threshold for score in bad) / len(bad) > 0.9
    )  # the price of 0 false alarms on prose
    assert sum(score > threshold for score in good) == 0


def test_it_is_explained_by_its_grams(model: Model) -> None:
    score, text, evidence = model.explain(pieces(b"/a?id=1&q=%3Cscript%3Ealert(1)"))
    assert text == "q=<script>alert(1)"
    assert score > model.facts.threshold
    weights = [one.weight for one in evidence]
    assert weights == sorted(weights, reverse=True)
    assert any("<s" in one.gram or "<" in one.gram for one in evidence)


def test_a_request_costs_little(model: Model) -> None:
    """Far above what it is (see bench), so that a busy machine does not fail it."""
    texts = pieces(b"/pks/lookup?op=get&options=mr&search=0x0123456789ABCDEF")
    best = 1.0
    for _ in range(20):
        began = time.thread_time()
        for _ in range(100):
            model.score(texts)
        best = min(best, (time.thread_time() - began) / 100)
    assert best < 500e-6


# --- the file


def test_a_file_is_what_it_was_and_nothing_else(tmp_path: Path, model: Model) -> None:
    content = model.dump()
    path = tmp_path / "m.npz"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    again = Model.load(path, digest)
    assert again.facts == model.facts
    assert again.digest == digest
    assert again.score([b"id=1' or 1=1"]) == pytest.approx(model.score([b"id=1' or 1=1"]), abs=0.05)
    assert len(content) < 300_000
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(ModelRefused, match="SHA-256"):
        Model.load(path, digest)


def archive(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


FACTS = {"format": 1, "version": "1", "threshold": 1.0, "trained": "", "measured": {}}
WEIGHTS = np.zeros(SIZE, np.float16)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04broken",
        archive(weights=WEIGHTS),
        archive(facts=np.asarray("not json"), weights=WEIGHTS),
        archive(facts=np.asarray("{}"), weights=WEIGHTS),
        archive(facts=np.asarray(json.dumps({**FACTS, "format": 2})), weights=WEIGHTS),
        archive(facts=np.asarray(json.dumps(FACTS)), weights=WEIGHTS[:10]),
        archive(facts=np.asarray(json.dumps(FACTS)), weights=np.full(SIZE, np.nan)),
        archive(facts=np.asarray(json.dumps(FACTS)), weights=np.array([{}], object)),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(content)
    with pytest.raises(ModelRefused):
        Model.load(path, hashlib.sha256(content).hexdigest())


# --- training


def test_measures() -> None:
    benign, hostile = np.array([0.0, 1.0, 2.0, 3.0]), np.array([2.0, 4.0])
    assert auc(benign, hostile) == pytest.approx((2.5 + 4) / 8)
    assert limit(np.arange(1000.0), 0.001) == 998.0
    found = measure(benign, hostile, 2.5)
    assert (found.false, found.true) == (0.25, 0.5)
    assert found.f1 == pytest.approx(2 / (2 + 1 + 1))
    assert "AUC 0.8125" in str(found)


def test_descent_finds_the_lowest_point() -> None:
    scale = np.arange(1.0, 6.0)

    def bowl(vector: Any) -> tuple[float, Any]:
        far = vector - 3.0
        return float((scale * far * far).sum()) + 1.0, 2 * scale * far

    assert _fit.descend(bowl, np.zeros(5), 100) == pytest.approx(np.full(5, 3.0), abs=0.01)


def test_the_gradient_is_that_of_the_loss() -> None:
    samples = _fit.Samples([b"good", b"bad' or 1=1" * 40], [False, True], [1.0, 2.0])
    chance = np.random.default_rng(1)
    vector = chance.normal(size=SIZE)
    way = chance.normal(size=SIZE)
    _, gradient = samples.loss(vector, 0.1)
    above, below = (samples.loss(vector + s * 1e-5 * way, 0.1)[0] for s in (1, -1))
    assert (above - below) / 2e-5 == pytest.approx(float(gradient @ way), rel=1e-4)


def test_it_trains_evaluates_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.npz"
    assert (
        train.main([*ARGUMENTS, "--cross", "--steps", "12", "--out", str(out), "--version", "9"])
        == 0
    )
    said = capsys.readouterr().out
    for word in ("AUC", "F1", "TPR@1%", "TPR@0.1%", "false positives", "unseen", "cross: params"):
        assert word in said
    made = Model.load(out, out.with_suffix(".sha256").read_text().strip())
    assert made.facts.version == "9"
    assert made.facts.threshold >= train.LEAST
    assert made.facts.measured["AUC, params: norm"] > 0.97
    assert made.facts.measured["found, queries"] > 0.75
    assert made.score(pieces(b"/?id=1' union all select null--")) > 0


def test_one_class_is_not_enough(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.main(ARGUMENTS[-4:])
    assert "both" in capsys.readouterr().err
    parts = list(train.read(None, DATA / "modsec-learn.json", DATA / "access.log"))
    train.cross(parts, 2)
    assert "no harmless requests or no attacks" in capsys.readouterr().out


def test_names_tell_nothing() -> None:
    values: Sequence[bytes] = list(queries(DATA / "modsec-learn.json"))
    wrapped = placed(values, random.Random(1))  # noqa: S311 - to repeat it
    assert len(wrapped) == 120
    assert any(text.startswith(b"/") for text in wrapped)
    assert all(b"%27" not in value for value in values)
    assert Facts("1", 1.0, "", {}).threshold == 1.0
