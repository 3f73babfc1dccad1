"""Plugins before a server over HTTP: bodies, event streams, sessions and header fields."""
