"""The dialects: what this gateway and the plugins of each kind have agreed on."""

from __future__ import annotations

from plugbay.runtimes.process._plugin_process import Dialect

PLUGBAY = Dialect(name="plugbay", cookie=("PLUGBAY_PLUGIN", "c0f2b7f1-hook-v1"))
"""Our own, `plugbay.hook.v1`; what plugbay.dev/sdk serves."""
KM = Dialect(name="km", cookie=("KILOMETERS_PLUGIN", "kilometers_monitoring_plugin"))
"""Kilometers monitoring plugins."""
