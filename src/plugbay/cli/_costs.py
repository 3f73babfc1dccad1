"""What plugins cost, from the gateway's own metrics page."""

from __future__ import annotations

import http.client
import re
import time
import urllib.request
from typing import TYPE_CHECKING

from plugbay.cli._client import Unreachable
from plugbay.kernel import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTLE = 1.5
"""Workers hand their numbers in once a second."""
_LINE = re.compile(
    r'^plugbay_plugin_duration_seconds_(sum|count)\{(?:.*,)?plugin="([^"]+)".*\} (\S+)',
    re.MULTILINE,
)

Costs = dict[str, tuple[float, float]]
"""Seconds and calls of each plugin."""


def read_costs(url: str) -> Costs:
    """Read the page. Raises `Invalid` or `Unreachable`."""
    if not url.startswith(("http://", "https://")):
        raise Invalid(f"{url!r}: expected the metrics page, e.g. http://127.0.0.1:9090/metrics")
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - checked above
            text = answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"no metrics at {url}: {error}") from error
    found: Costs = {}
    for kind, plugin, number in _LINE.findall(text):
        seconds, calls = found.get(plugin, (0.0, 0.0))
        value = float(number)
        found[plugin] = (seconds + value, calls) if kind == "sum" else (seconds, calls + value)
    return found


def settled_costs(url: str) -> Costs:
    """Read the page when what has just been counted is on it."""
    time.sleep(SETTLE)
    return read_costs(url)


def costs_since(before: Costs, after: Costs) -> Mapping[str, float]:
    """Return the microseconds of an average call of each plugin's hooks, meanwhile."""
    costs: dict[str, float] = {}
    for plugin, (seconds, calls) in sorted(after.items()):
        old_seconds, old_calls = before.get(plugin, (0.0, 0.0))
        if calls > old_calls:
            costs[plugin] = round((seconds - old_seconds) / (calls - old_calls) * 1e6, 2)
    return costs
