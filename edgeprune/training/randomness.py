"""Randomness that belongs to one place of a run, and leaves the process's own generators as they were."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.utils.deterministic


def derive_seed(seed: int, *place: str | int) -> int:
    """Return a seed in [0, 2**32) for a place in a run, such as ``("epoch", 3)``.

    Different places get unrelated seeds, and a place's seed does not depend on what ran before it: this is what lets
    an interrupted run continue bit-identically.
    """
    text = "/".join(str(part) for part in (seed, *place))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


@contextmanager
def scoped_randomness(seed: int) -> Iterator[None]:
    """Seed the generators of torch, NumPy and Python inside the block and restore them after it.

    The last two are there for a user's own data sets; nothing in this package draws from them.
    """
    python, legacy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)


@contextmanager
def deterministic_algorithms() -> Iterator[None]:
    """Let torch choose deterministic kernels inside the block, warning where an operator has none."""
    before = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]  # a module property
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling every fresh buffer is a debugging aid that costs time in each operator.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=only_warned)
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
