"""Which clients say themselves that they are software: a weak label, never a feature."""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"bot\b|bot[/;)_ -]|crawl|spider|slurp|scrap|archiver|fetch|curl/|wget/|python|java/|libwww|"
    r"httpclient|http-client|okhttp|go-http|ruby|perl|php/|feed|rss|monitor|preview|validator|"
    r"scan|nikto|sqlmap|headless|phantom|facebookexternalhit|mediapartners|checker",
    re.IGNORECASE,
)


def says_so(agent: str) -> bool:
    """Whether a `User-Agent` is that of software without a person, or is missing."""
    return agent in ("", "-") or _WORDS.search(agent) is not None
