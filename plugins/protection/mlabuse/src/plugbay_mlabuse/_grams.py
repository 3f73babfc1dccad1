"""Hashes of the 1-, 2- and 3-grams of bytes, vectorized."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS: Final = 16
SIZE: Final = 1 << BITS
_SHIFT = np.uint32(32 - BITS)
# Odd constants of the golden ratio (Knuth, The Art of Computer Programming, 6.4), of 32 bits.
_ONE, _TWO, _THREE = np.uint32(2654435769), np.uint32(2246822519), np.uint32(3266489917)
_EIGHT, _SIXTEEN = np.uint32(8), np.uint32(16)


def grams(buffer: bytes) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
    """Return for each position but the last two the hashes of the grams that begin there."""
    single = np.frombuffer(buffer, np.uint8).astype(np.uint32)
    double = (single[:-2] << _EIGHT) | single[1:-1]
    triple = (double << _EIGHT) | single[2:]
    return hashed_one(single[:-2]), hashed_two(double), (triple * _THREE) >> _SHIFT


def hashed_one(single: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the slots of single bytes."""
    return ((single + np.uint32(1)) * _ONE) >> _SHIFT


def hashed_two(double: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the slots of pairs of bytes."""
    return ((double + np.uint32(1)) * _TWO) >> _SHIFT
