"""A linear model over hashed n-grams: how it is stored, checked, and scores."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from ._grams import SIZE, grams, hashed_one, hashed_two
from ._text import framed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

WINDOW: Final = 256
"""Positions of a long text that are scored together: padding cannot outweigh what is bad."""
LAST: Final = 64
FORMAT: Final = 1
LARGEST: Final = 4 << 20


class ModelRefused(ValueError):
    """The file of a model is not what it should be."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the file of a model says of itself."""

    version: str
    threshold: float
    trained: str
    measured: dict[str, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One n-gram of a text, and what it adds to the score."""

    gram: str
    weight: float


class Model:
    """Scores texts: above zero is likelier an attack than not, as far as its samples tell.

    `digest` is the SHA-256 of the file, in hex.
    """

    __slots__ = ("_first", "_roots", "_weights", "digest", "facts")

    def __init__(self, weights: NDArray[np.float32], facts: Facts, digest: str = "") -> None:
        self._weights, self.facts, self.digest = weights, facts, digest
        # A pair of bytes has as many values as there are slots: two look-ups become one.
        pairs = np.arange(SIZE, dtype=np.uint32)
        self._first = weights[hashed_one(pairs >> np.uint32(8))] + weights[hashed_two(pairs)]
        sizes = np.arange(1, WINDOW + LAST + 1, dtype=np.float32)
        self._roots = np.concatenate([np.zeros(1, np.float32), 1 / np.sqrt(sizes)])

    @classmethod
    def load(cls, path: Path, digest: str) -> Model:
        """Read a model. Raises `ModelRefused` if its SHA-256 or content is not as it should be."""
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise ModelRefused(f"{path.name} has the SHA-256 {found}, not {digest}")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                said = json.loads(str(archive["facts"]))
                weights = np.asarray(archive["weights"], np.float32)
            facts = _facts(said)
        except (KeyError, ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise ModelRefused(f"{path.name} is no model: {error}") from error
        if weights.shape != (SIZE,) or not bool(np.isfinite(weights).all()):
            raise ModelRefused(f"{path.name} has not {SIZE} finite weights")
        return cls(weights, facts, found)

    def dump(self) -> bytes:
        """Return the file of this model: an npz archive, with weights of half precision."""
        facts = self.facts
        said = {
            "format": FORMAT,
            "version": facts.version,
            "threshold": facts.threshold,
            "trained": facts.trained,
            "measured": facts.measured,
        }
        out = io.BytesIO()
        arrays: dict[str, Any] = {
            "facts": np.asarray(json.dumps(said)),
            "weights": self._weights.astype(np.float16),
        }
        np.savez_compressed(out, **arrays)
        return out.getvalue()

    def score(self, texts: Sequence[bytes]) -> float:
        """Return the highest score of any text, or window of a long one."""
        buffer = framed(texts)
        single = np.frombuffer(buffer, np.uint8).astype(np.uint32)
        double = (single[:-2] << _EIGHT) | single[1:-1]
        triple = (double << _EIGHT) | single[2:]
        triple *= _THREE
        triple >>= _SIXTEEN
        values = self._first[double]
        values += self._weights[triple]
        starts, sizes = spans(texts)
        if len(starts) == 1:
            return float(values.sum()) * float(self._roots[sizes[0]])
        sums = np.add.reduceat(values, starts)
        sums *= self._roots[sizes]
        return float(sums.max())

    def explain(self, texts: Sequence[bytes], most: int = 10) -> tuple[float, str, list[Evidence]]:
        """Return the score, the window that has it, and its n-grams that weigh most."""
        buffer = framed(texts)
        starts, sizes = spans(texts)
        hashes = grams(buffer)
        weights = [self._weights[found] for found in hashes]
        total = weights[0] + weights[1] + weights[2]
        sums = np.add.reduceat(total, starts) * self._roots[sizes]
        best = int(sums.argmax())
        begin, size = starts[best], sizes[best]
        root = float(self._roots[size])
        found: dict[str, float] = {}
        for at in range(begin, begin + size):
            for length, weight in enumerate(weights, 1):
                gram = shown(buffer[at : at + length])
                found[gram] = found.get(gram, 0.0) + float(weight[at]) * root
        ordered = sorted(found.items(), key=lambda item: -item[1])[:most]
        evidence = [Evidence(gram, round(weight, 4)) for gram, weight in ordered if weight > 0]
        return float(sums[best]), shown(buffer[begin : begin + size].strip(b"\0")), evidence


def spans(texts: Sequence[bytes]) -> tuple[list[int], list[int]]:
    """Return where windows begin in the buffer of texts, and how many positions they have."""
    starts: list[int] = []
    sizes: list[int] = []
    at = 0
    for text in texts:
        left = len(text) + 3
        while left > WINDOW + LAST:
            starts.append(at)
            sizes.append(WINDOW)
            at += WINDOW
            left -= WINDOW
        starts.append(at)
        sizes.append(left)
        at += left
    return starts, sizes


def shown(text: bytes) -> str:
    """Return bytes as text for people; the edge of a text is `^`."""
    return text.replace(b"\0", b"^").decode("latin-1").encode("unicode_escape").decode("ascii")


def _facts(said: Any) -> Facts:
    table = cast("dict[str, Any]", said)
    if table["format"] != FORMAT:
        raise ValueError(f"its format is {table['format']}, not {FORMAT}")
    measured = {str(key): float(value) for key, value in table["measured"].items()}
    return Facts(str(table["version"]), float(table["threshold"]), str(table["trained"]), measured)


_EIGHT, _SIXTEEN, _THREE = np.uint32(8), np.uint32(16), np.uint32(3266489917)
