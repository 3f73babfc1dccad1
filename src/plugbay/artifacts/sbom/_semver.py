"""Versions of Go modules, and whatever else follows Semantic Versioning 2.0.0."""

from __future__ import annotations

import re
from functools import total_ordering

_VERSION = re.compile(
    r"v?(\d{1,18})(?:\.(\d{1,18}))?(?:\.(\d{1,18}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?"
).fullmatch
_CLAUSE = re.compile(r"\s*(==|!=|<=|>=|<|>)?\s*([^\s,<>=!]+)\s*").fullmatch
_GO = re.compile(r"(\d+(?:\.\d+)*)(rc|beta|alpha)(\d+)").fullmatch


@total_ordering
class SemVer:
    """A version by precedence (section 11); what follows `+` does not count. Raises `ValueError`.

    Parts that are missing are 0, and a leading `v` and Go's own `1.27rc1` are taken.
    """

    __slots__ = ("_key",)

    def __init__(self, text: str) -> None:
        if go := _GO(text.removeprefix("go")):
            numbers = (*go[1].split("."), "0", "0")[:3]
            text = f"{'.'.join(numbers)}-{go[2]}.{go[3]}"
        found = _VERSION(text.removeprefix("go"))
        if found is None:
            raise ValueError(f"{text[:80]!r} is no semantic version")
        numbers = tuple(int(found[n] or 0) for n in (1, 2, 3))
        # A release comes behind all its pre-releases; a number before a word.
        before = tuple(_identifier(part) for part in found[4].split(".")) if found[4] else ()
        self._key = (numbers, not before, before)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SemVer) and self._key == other._key

    def __lt__(self, other: SemVer) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)


def _identifier(part: str) -> tuple[bool, int, str]:
    return (False, int(part[:18]), "") if part.isdecimal() else (True, 0, part)


class Range:
    """Clauses with commas between them, all of which a version must meet. Raises `ValueError`."""

    def __init__(self, text: str) -> None:
        self._clauses: list[tuple[str, SemVer]] = []
        for clause in filter(str.strip, text.split(",")):
            found = _CLAUSE(clause)
            if found is None:
                raise ValueError(f"{clause[:80]!r}: expected an operator and a version")
            self._clauses.append((found[1] or "==", SemVer(found[2])))

    def contains(self, version: str) -> bool:
        """Whether it is among them. Raises `ValueError` if it is no version."""
        asked = SemVer(version)
        return all(_meets(asked, operator, bound) for operator, bound in self._clauses)


def _meets(version: SemVer, operator: str, bound: SemVer) -> bool:
    if operator in ("==", "!="):
        return (version == bound) is (operator == "==")
    if operator in ("<", ">="):
        return (version < bound) is (operator == "<")
    return (version > bound) is (operator == ">")
