"""One client and one server, without input or output: what becomes of each message."""
