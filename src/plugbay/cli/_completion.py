"""What the shell offers behind a command, when TAB is pressed."""

from __future__ import annotations

import os

from plugbay.cli._client import ApiError, Unreachable
from plugbay.cli._session import DEFAULT_URL, Target
from plugbay.kernel import PlugbayError

SECONDS = 2.0
"""Longer than that nobody waits for a TAB."""


def known_plugins(incomplete: str) -> list[str]:
    """Return the ids that begin like this; none if the gateway does not say."""
    target = Target(
        os.environ.get("PLUGBAY_ADMIN_URL", DEFAULT_URL), os.environ.get("PLUGBAY_TOKEN", "")
    )
    try:
        found = [plugin["id"] for plugin in target.client(timeout=SECONDS).items("/plugins")]
    except (ApiError, Unreachable, PlugbayError):
        return []
    return [plugin for plugin in found if plugin.startswith(incomplete)]
