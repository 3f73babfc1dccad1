"""The composition root: the modules that know every part, and nothing else does."""
