"""A strict reader of the text exposition format, written from its specification."""

from __future__ import annotations

import math
import re

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)\Z")
_PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|\Z)')
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("", "_total"), "gauge": ("",)}

Key = tuple[str, frozenset[tuple[str, str]]]


def parse(text: str) -> dict[Key, float]:
    """Return the samples. Raises `AssertionError` for whatever a scraper would stumble over."""
    assert text.endswith("\n")
    found: dict[Key, float] = {}
    kinds: dict[str, str] = {}
    title = ""
    for line in text.splitlines():
        if line == "# EOF":
            continue
        if line.startswith("# "):
            _, what, title, rest = line.split(" ", 3)
            if what == "TYPE":
                assert title not in kinds, f"{title} has two headers"
                kinds[title] = rest
            continue
        match = _SAMPLE.match(line)
        assert match, line
        name, labels, value = match.groups()
        assert name in {title + suffix for suffix in _SUFFIXES[kinds[title]]}, line
        key = name, frozenset(_labels(labels or ""))
        assert key not in found, f"twice: {line}"
        found[key] = float(value)
    _check_histograms(found, kinds)
    return found


def _labels(text: str) -> list[tuple[str, str]]:
    pairs, at = [], 0
    while at < len(text):
        match = _PAIR.match(text, at)
        assert match, text
        raw = match[2]
        value = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], raw)
        pairs.append((match[1], value))
        at = match.end()
    assert len({name for name, _ in pairs}) == len(pairs), text
    return pairs


def _check_histograms(found: dict[Key, float], kinds: dict[str, str]) -> None:
    for (name, labels), count in found.items():
        stem = name.removesuffix("_count")
        if kinds.get(stem) != "histogram" or stem == name:
            continue
        buckets = sorted(
            (float(dict(key[1])["le"]), value)
            for key, value in found.items()
            if key[0] == f"{stem}_bucket" and labels == {p for p in key[1] if p[0] != "le"}
        )
        values = [value for _, value in buckets]
        assert buckets[-1] == (math.inf, count)
        assert values == sorted(values)


def at(found: dict[Key, float], name: str, **labels: str) -> float:
    """Return one sample."""
    return found[name, frozenset(labels.items())]
