"""Connections of clients that speak HTTP/1.1."""
