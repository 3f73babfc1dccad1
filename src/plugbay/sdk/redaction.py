"""Finding secrets and personal data in JSON values, and taking them out.

    clean, found = Redactor().value({"password": "x", "text": "write to ann@example.com"})

It finds what looks like one: by the name of the member it stands in, or by its own form. It is a
net with holes, as every such tool is; what it takes out it never shows.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAMES: Final = re.compile(
    r"(?i)(?:^|[_.\-])(?:password|passwd|passphrase|secret|token|api[_\-]?key|access[_\-]?key"
    r"|private[_\-]?key|authorization|cookie|credentials?)$|^(?:apikey|accesskey|privatekey"
    r"|clientsecret|accesstoken|refreshtoken)$"
)
"""Names of members whose text is secret, whatever it looks like."""
MEMBER: Final = re.compile(
    r'("([A-Za-z0-9_.\-]{1,64})"\s{0,9}:\s{0,9}")[^"\\]*(?:\\[\s\S][^"\\]*)*'
)
"""A member of JSON that stands in a text, as that of tools does: its name, and its text."""

KINDS: Final[Mapping[str, str]] = {
    "private-key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{0,20000}?"
    r"-----END [A-Z ]{0,30}-----",
    "jwt": r"\beyJ[\w-]{8,2000}\.eyJ[\w-]{8,4000}\.[\w-]{8,2000}",
    "bearer": r"(?i)\bbearer\s+[\w\-.~+/]{16,2000}=*",
    "api-key": r"\b(?:sk-[\w-]{20,200}|gh[pousr]_\w{36,255}|github_pat_\w{22,255}"
    r"|glpat-[\w-]{20,60}|xox[abprs]-[\w-]{10,200}|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|npm_\w{36})",
    "url-password": r"(://[^\s/@:]{0,64}:)[^\s/@]{1,200}(?=@)",
    "assignment": r"(?i)((?=[acprst])(?<![a-z0-9])(?:password|passwd|passphrase"
    r"|(?:client[_\-]?)?secret|(?:access[_\-]?|refresh[_\-]?)?token|api[_\-]?key|access[_\-]?key|private[_\-]?key)"
    r"(?:=|: ?)[\"']?)(?=[^\s\"'&;,()\[\]{}<>$]{0,200}\d)[^\s\"'&;,()\[\]{}<>$]{6,500}",
    "email": r"\b[\w.%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b",
    "iban": r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b",
    "card": r"\b\d(?:[ -]?\d){12,18}\b",
    "us-ssn": r"\b(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}\b",
    "phone": r"(?<![\w.])\+\d{1,3}(?:[ .\-]?\(?\d{1,4}\)?){2,5}\b",
}
"""What can be told by its form: a name and a regular expression for each. What a group of the
expression has found stays. An assignment is one of text with a digit, as in `DB_PASSWORD=hunter22`
of an environment or a query: not that of a variable in a program."""
_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "private-key": ("PRIVATE KEY-----",),
    "jwt": (".eyJ",),
    "api-key": ("sk-", "gh", "glpat-", "xox", "AKIA", "AIza", "npm_"),
    "url-password": ("://",),
    "email": ("@",),
    "us-ssn": ("-",),
    "phone": ("+",),
}
"""Of which every match of a kind has one: a text without is not searched, which takes longer."""
SHORT: Final = 6
"""Characters of the shortest thing that is told by its form, `a@b.cd`."""
LONG: Final = 20
"""Characters of the shortest that could be the name of a member like others."""
DEPTH: Final = 200
"""Levels of nesting that are looked into; what is deeper is taken out whole."""


class Redactor:
    """Takes secrets and personal data out of JSON values. `kinds` are names of `KINDS`.

    Raises `ValueError` for a kind that there is not.
    """

    def __init__(self, kinds: Iterable[str] = tuple(KINDS), *, names: bool = True) -> None:
        wanted = tuple(kinds)
        if unknown := [kind for kind in wanted if kind not in KINDS]:
            raise ValueError(f"no such kind: {', '.join(unknown)}; there are {', '.join(KINDS)}")
        self._patterns = [
            (kind, re.compile(KINDS[kind]), _PARTS.get(kind, ("",))) for kind in wanted
        ]
        self._names = names

    def text(self, text: str) -> tuple[str, Counter[str]]:
        """Return the text without what was found, and how often each kind was."""
        found: Counter[str] = Counter()
        if self._names and '"' in text:
            text = MEMBER.sub(partial(_mark_member, found), text)
        for kind, pattern, parts in self._patterns:
            if any(part in text for part in parts):
                text = pattern.sub(partial(_mark, kind, found), text)
        return text, found

    def value(self, value: Any) -> tuple[Any, Counter[str]]:
        """Return a JSON value without what was found; the value itself if nothing was."""
        found: Counter[str] = Counter()
        clean = self._clean(value, found, DEPTH)
        return (clean, found) if found else (value, found)

    def _clean(self, value: object, found: Counter[str], depth: int) -> object:
        if isinstance(value, str):
            text, here = self.text(value)
            found.update(here)
            return text
        if not isinstance(value, (dict, list)):
            return value
        if depth == 0:
            found["too-deep"] += 1
            return "[redacted: too-deep]"
        if isinstance(value, list):
            return [self._clean(one, found, depth - 1) for one in cast("list[object]", value)]
        clean: dict[str, object] = {}
        for name, one in cast("dict[str, object]", value).items():
            clean[self._name(name, found, clean)] = self._member(name, one, found, depth - 1)
        return clean

    def _name(self, name: str, found: Counter[str], taken: Mapping[str, object]) -> str:
        """Return the name of a member, which may be a secret itself."""
        if len(name) < SHORT or (len(name) < LONG and name.isidentifier()):
            return name
        text, here = self.text(name)
        if not here:
            return name
        found.update(here)
        number = 2
        unique = text
        while unique in taken:
            unique, number = f"{text} {number}", number + 1
        return unique

    def _member(self, name: str, value: object, found: Counter[str], depth: int) -> object:
        if self._names and isinstance(value, str) and value and NAMES.search(name):
            found["name"] += 1
            return "[redacted: name]"
        return self._clean(value, found, depth)


def _mark_member(found: Counter[str], match: re.Match[str]) -> str:
    if not NAMES.search(match.group(2)) or match.end() == match.end(1):
        return match.group()
    found["name"] += 1
    return f"{match.group(1)}[redacted: name]"


def _mark(kind: str, found: Counter[str], match: re.Match[str]) -> str:
    if kind == "card" and not _luhn(match.group()):
        return match.group()
    found[kind] += 1
    return f"{''.join(match.groups())}[redacted: {kind}]"


def _luhn(number: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    digits = [int(one) for one in number if one.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
