"""Plugbay: a gateway whose every capability is a plugin."""

__version__ = "0.1.0"
