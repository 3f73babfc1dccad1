"""The query of `/pks/lookup` (draft-gallagher-openpgp-hkp, section 3)."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

_HEX = re.compile(r"0x([0-9a-fA-F]+)")
_LENGTHS = {16: "key_id", 32: "fingerprint", 40: "fingerprint", 64: "fingerprint"}
SHORTEST = 3
"""Characters of a text to search for."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is asked: `by` is `key_id`, `fingerprint` or `text`."""

    operation: str
    by: str = ""
    value: str = ""
    machine_readable: bool = False
    problem: str = ""


def parse_lookup(query: bytes) -> Lookup:
    """Read a query; what is wrong with it is its `problem`."""
    try:
        fields = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=16)
    except ValueError:
        return Lookup("", problem="the query cannot be read")
    operation = fields.get("op", [""])[0].lower()
    search = fields.get("search", [""])[0].strip()
    readable = "mr" in fields.get("options", [""])[0].lower().split(",")
    by, value, problem = _target(search)
    return Lookup(operation, by, value, readable, problem)


def _target(search: str) -> tuple[str, str, str]:
    if match := _HEX.fullmatch(search):
        by = _LENGTHS.get(len(match[1]))
        if by is None:
            return "", "", "a key is named by its fingerprint or its 16 hex digits"
        return by, match[1].upper(), ""
    if len(search) < SHORTEST:
        return "", "", f"search for {SHORTEST} characters or more"
    return "text", search.casefold(), ""
