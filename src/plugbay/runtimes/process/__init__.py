"""The runtime `process`: a plugin in a process of its own, by the protocol of go-plugin."""
