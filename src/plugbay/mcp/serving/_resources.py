"""Which member of a federation has a resource. URIs are kept: contents may refer to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KNOWN = 100_000
"""URIs whose member is remembered."""
_EXPRESSION = re.compile(r"\\\{[^}]*\\\}")


class ResourceMap:
    """Learns from lists and from answers."""

    def __init__(self) -> None:
        self._members: dict[str, str] = {}
        self._templates: dict[str, tuple[re.Pattern[str], str]] = {}

    def learn(self, member: str, uris: Iterable[Any]) -> None:
        """These resources are there; whoever had one of them first keeps it."""
        for uri in uris:
            if len(self._members) < KNOWN:
                self._members.setdefault(str(uri), member)

    def learn_templates(self, member: str, templates: Iterable[Any]) -> None:
        """Resources like these are there (RFC 6570)."""
        for template in templates:
            pattern = _EXPRESSION.sub(".+", re.escape(str(template)))
            self._templates.setdefault(str(template), (re.compile(pattern), member))

    def forget(self, member: str) -> None:
        """What it has may have changed."""
        self._members = {uri: name for uri, name in self._members.items() if name != member}

    def order(self, uri: str, members: Sequence[str]) -> list[str]:
        """Return who is to be asked: who has it, else all, the likely ones first."""
        known = self._members.get(uri, "")
        if known in members:
            return [known]
        likely = [
            member
            for template, (pattern, member) in self._templates.items()
            if member in members and (template == uri or pattern.fullmatch(uri))
        ]
        return list(dict.fromkeys((*likely, *members)))
