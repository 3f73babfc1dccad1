"""The control plane in one seeded, deterministic world, in the manner of FoundationDB."""
