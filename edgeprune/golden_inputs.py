"""Inputs that an executable can make again by itself, bit by bit, instead of carrying them.

Element ``i`` of record ``s`` is a 32-bit hash of both (the finaliser of MurmurHash3 by Austin Appleby, public
domain), whose upper 24 bits are read as a fraction: ``k / 2**22`` with ``-2**23 <= k < 2**23``, evenly spread over
[-2, 2). Every such value is a float32, so that no rounding can differ. ``measuring/bench_inputs.h`` is the same in C.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CARRIED_BYTES = 32 * 1024
"""What an executable spends on golden records at most, beyond the first; larger records are made from a seed."""


def made_inputs(seed: int, elements: int) -> NDArray[np.float32]:
    """Return record ``seed``: ``elements`` float32 values, those of all inputs one after the other."""
    index = np.arange(elements, dtype=np.uint32)
    bits = np.uint32(seed * 0x9E3779B9 % 2**32) + index
    bits = (bits ^ (bits >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    bits ^= bits >> np.uint32(16)
    steps = (bits >> np.uint32(8)).astype(np.int32) - 2**23
    return steps.astype(np.float32) * np.float32(2.0**-22)


def were_made(inputs: NDArray[np.float32]) -> bool:
    """Return whether row ``s`` of ``inputs`` is record ``s``, bit by bit, for every row."""
    rows = inputs.reshape(len(inputs), -1)
    return all(np.array_equal(row, made_inputs(seed, row.size)) for seed, row in enumerate(rows))


def is_large(input_elements: int, output_elements: int) -> bool:
    """Return whether a record with so many float32 values should be made, not carried."""
    return 4 * (input_elements + output_elements) > CARRIED_BYTES // 2
