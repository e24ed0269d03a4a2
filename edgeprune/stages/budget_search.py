"""Searching the least share of the pruning that a board's budget needs."""

from __future__ import annotations

from collections.abc import Callable

HALVINGS = 6
"""The share is found to 1/64 of the amount."""


def least_share(within: Callable[[float], bool], halvings: int = HALVINGS) -> float:
    """Return a share in (0, 1] whose network is within the budget, while one of ``1 / 2**halvings`` less is not.

    ``within`` must say no to 0 and yes to 1; in between it need not be monotone (rounding to whole vectors, noise of a
    clock): the share returned is always one that ``within`` said yes to.
    """
    out, inside = 0.0, 1.0
    for _ in range(halvings):
        share = (out + inside) / 2
        if within(share):
            inside = share
        else:
            out = share
    return inside
