"""The hooks of plugins for messages: compiled for each chain, run, and told of events."""
