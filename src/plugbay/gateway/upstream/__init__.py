"""The way to upstreams: their targets, connections, balance, health and retries."""
