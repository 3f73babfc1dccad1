"""Plugins before a server over stdio: a process between a client and its server."""
