"""Reads feeds in their formats: each yields indicators with what the feed says of them.

Feeds are untrusted: whatever is no indicator is skipped, nothing of a feed is run, and a file
that is not what it should be raises `ValueError`.
"""

from __future__ import annotations

import csv
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._config import Feed, Severity


class Indicator(NamedTuple):
    """What a feed names: an address, a network or a domain, not yet looked at.

    `expires` is Unix time, 0 if the feed says nothing; `severity` is None then too.
    """

    value: str
    expires: float = 0.0
    severity: Severity | None = None


_KEYS = (
    "ip",
    "indicator",
    "value",
    "cidr",
    "network",
    "address",
    "domain",
    "ioc",
    "host",
    "ioc_value",
)
_COMMENT = ("#", ";", "//")
_PATTERN = re.compile(
    r"(?:ipv4-addr|ipv6-addr|domain-name):value\s*(?:=|ISSUBSET)\s*'([^'\\]{1,253})'"
)
_OBSERVED = frozenset(("ipv4-addr", "ipv6-addr", "domain-name"))
_MISP = frozenset(
    ("ip-src", "ip-dst", "domain", "hostname", "ip-src|port", "ip-dst|port", "domain|ip")
)
_WORDS: dict[str, Severity] = {
    "low": "low",
    "medium": "medium",
    "high": "high",
    "critical": "critical",
}
_THREAT_LEVELS: dict[str, Severity] = {"1": "high", "2": "medium", "3": "low"}


def parse(feed: Feed, text: Iterable[str]) -> Iterator[Indicator]:
    """Yield what a feed names. Raises `ValueError` if it cannot be read."""
    match feed.format:
        case "txt":
            return _lines(text)
        case "csv":
            return _csv(text, feed.column)
        case "json":
            return _json(_load(text), feed.key)
        case "stix":
            return _stix(_load(text))
        case "misp":
            return _misp(_load(text))


def _load(text: Iterable[str]) -> Any:
    try:
        return json.loads("".join(text))
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def _lines(text: Iterable[str]) -> Iterator[Indicator]:
    """Yield the first word of each line; hosts files have an address of this machine before it."""
    for line in text:
        words = line.split("#", 1)[0].replace(",", " ").split()
        if not words or words[0].startswith(_COMMENT):
            continue
        if len(words) > 1 and words[0] in ("0.0.0.0", "127.0.0.1"):  # noqa: S104 - a hosts file
            words = words[1:]
        yield Indicator(words[0])


def _csv(text: Iterable[str], column: int) -> Iterator[Indicator]:
    rows = csv.reader(line for line in text if not line.startswith(_COMMENT))
    try:
        for row in rows:
            if column >= 0:
                if column < len(row):
                    yield Indicator(row[column].strip())
                continue
            found = next((cell.strip() for cell in row if looks_right(cell.strip())), "")
            if found:
                yield Indicator(found)
    except csv.Error as error:
        raise ValueError(f"no CSV: {error}") from None


def _json(value: Any, key: str) -> Iterator[Indicator]:
    """Yield from an array of texts or objects, one object a line, or an object that holds them."""
    if isinstance(value, str):
        yield Indicator(value)
    elif isinstance(value, list):
        for item in cast("Iterable[Any]", value):
            yield from _json(item, key)
    elif isinstance(value, dict):
        yield from _json_object(cast("dict[str, Any]", value), key)


def _json_object(value: dict[str, Any], key: str) -> Iterator[Indicator]:
    names = (key,) if key else _KEYS
    found = next((value[name] for name in names if isinstance(value.get(name), str)), None)
    if found is not None:
        expires = _time(value.get("expires") or value.get("valid_until") or value.get("expiration"))
        yield Indicator(
            str(found).split(":")[0] if _has_port(found) else found, expires, _word(value)
        )
        return
    for item in value.values():
        if isinstance(item, (list, dict)):
            yield from _json(item, key)


def _stix(bundle: Any) -> Iterator[Indicator]:
    """Yield from a STIX 2.1 bundle: indicators' patterns (section 4.7), and observed addresses."""
    whole: dict[str, Any] = cast("dict[str, Any]", bundle) if isinstance(bundle, dict) else {}
    if not isinstance(whole.get("objects"), list):
        raise ValueError("no STIX bundle: it has no list of objects")
    objects: list[Any] = whole["objects"]
    for item in objects:
        if not isinstance(item, dict):
            continue
        entry = cast("dict[str, Any]", item)
        if entry.get("type") == "indicator":
            yield from _stix_indicator(entry)
        elif entry.get("type") in _OBSERVED and isinstance(entry.get("value"), str):
            yield Indicator(entry["value"])


def _stix_indicator(entry: dict[str, Any]) -> Iterator[Indicator]:
    if entry.get("revoked") or entry.get("pattern_type", "stix") != "stix":
        return
    confidence = entry.get("confidence")
    severity: Severity | None = None
    if isinstance(confidence, int):  # the "None / Low / Med / High" scale, appendix A
        severity = "high" if confidence >= 70 else "medium" if confidence >= 30 else "low"
    expires = _time(entry.get("valid_until"))
    for value in _PATTERN.findall(str(entry.get("pattern", ""))):
        yield Indicator(value, expires, severity)


def _misp(value: Any) -> Iterator[Indicator]:
    """Yield from a MISP event or a list of them, or a warning list."""
    if isinstance(value, list):
        for item in cast("Iterable[Any]", value):
            yield from _misp(item)
        return
    if not isinstance(value, dict):
        raise ValueError("no MISP event and no warning list")
    entry = cast("dict[str, Any]", value)
    if isinstance(entry.get("list"), list):
        yield from (Indicator(item.lstrip(".")) for item in entry["list"] if isinstance(item, str))
        return
    if "response" in entry:
        yield from _misp(entry["response"])
        return
    event = entry.get("Event", entry)
    if not isinstance(event, dict):
        raise ValueError("no MISP event")
    yield from _misp_event(cast("dict[str, Any]", event))


def _misp_event(event: dict[str, Any]) -> Iterator[Indicator]:
    severity = _THREAT_LEVELS.get(str(event.get("threat_level_id", "")))
    attributes: list[Any] = list(event.get("Attribute") or ())
    for thing in event.get("Object") or ():
        if isinstance(thing, dict):
            attributes += cast("dict[str, Any]", thing).get("Attribute") or ()
    for attribute in attributes:
        if not isinstance(attribute, dict):
            continue
        entry = cast("dict[str, Any]", attribute)
        if entry.get("type") not in _MISP or entry.get("to_ids") is False or entry.get("deleted"):
            continue
        parts = str(entry.get("value", "")).split("|")
        wanted = parts if entry["type"] == "domain|ip" else parts[:1]
        yield from (Indicator(part, 0.0, severity) for part in wanted)


def _word(value: dict[str, Any]) -> Severity | None:
    word = str(value.get("severity") or value.get("threat_level") or "").lower()
    return _WORDS.get(word)


def _has_port(value: str) -> bool:
    return value.count(":") == 1 and "." in value


def _time(value: Any) -> float:
    """Return Unix time of a number or of RFC 3339 text; 0 for neither."""
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return 0.0


def looks_right(value: str) -> bool:
    """Whether text could be an address, a network or a domain."""
    return bool(value) and len(value) <= 253 and bool(_LIKELY.fullmatch(value))


_LIKELY = re.compile(
    r"(?:\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?)|(?:[0-9a-fA-F:.]*:[0-9a-fA-F:.]+(?:/\d{1,3})?)"
    r"|(?:(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9])"
)
