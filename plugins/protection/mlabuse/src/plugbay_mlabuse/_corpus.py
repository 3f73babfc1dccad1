"""Reads published sets of attacks and of ordinary requests."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from typing import TYPE_CHECKING, Final

from ._text import decoded

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LINE = re.compile(r'"[A-Z]+ (\S+) HTTP/')
_REFERER = re.compile(r'"https?://[^/" ?]+([/?][^"]*)?" "')
_MARKUP = re.compile(r"[`*#|<>{}\[\]]+|-{2,}|\S{40,}")
NAMES: Final = tuple(
    b"id q p name page search user file s query value lang email city address code ref x".split()
)
"""Names of parameters, given by lot to values that have none: a name must tell nothing."""


def httpparams(path: Path) -> Iterator[tuple[bytes, str]]:
    """Yield values of parameters and their type, of HttpParamsDataset; `norm` is harmless."""
    with _text(path) as file:
        for row in csv.DictReader(file):
            yield row["payload"].encode("utf-8", "replace").lower(), row["attack_type"]


def queries(path: Path) -> Iterator[bytes]:
    """Yield the values of a JSON list of query strings with one parameter, of ModSec-Learn."""
    with _text(path) as file:
        for query in json.load(file):
            value = str(query).partition("=")[2].replace("+", " ")
            yield decoded(value.encode("utf-8", "replace"))


def targets(path: Path) -> Iterator[bytes]:
    """Yield the targets of an access log in the common or combined format, in its order."""
    with _text(path) as file:
        for line in file:
            found = _LINE.search(line)
            if found is not None:
                yield found[1].encode("utf-8", "replace")


def referers(path: Path) -> Iterator[bytes]:
    """Yield path and query of the pages that an access log's clients came from: searches, too."""
    with _text(path) as file:
        for line in file:
            found = _REFERER.search(line)
            if found is not None:
                yield (found[1] or "/").encode("utf-8", "replace")


def phrases(path: Path, chance: random.Random) -> Iterator[bytes]:
    """Yield runs of one to forty words of a text, as people type them into forms."""
    with _text(path) as file:
        words = _MARKUP.sub(" ", file.read()).lower().encode("utf-8", "replace").split()
    at = 0
    while at < len(words):
        size = chance.choice((1, 2, 3, 5, 8, 13, 25, 40))
        yield b" ".join(words[at : at + size])
        at += size


def placed(values: Sequence[bytes], chance: random.Random) -> list[bytes]:
    """Return values as they occur in requests: after a name, and one in ten as a path."""
    return [
        b"/" + value if chance.random() < 0.1 else chance.choice(NAMES) + b"=" + value
        for value in values
    ]


def _text(path: Path) -> io.TextIOWrapper:
    raw = path.read_bytes()
    plain = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return io.TextIOWrapper(io.BytesIO(plain), encoding="utf-8", errors="replace", newline="")
