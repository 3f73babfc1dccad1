"""The parts of `bench.protection`."""
