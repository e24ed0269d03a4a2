"""How much is pruned after each round, as pure functions."""

from __future__ import annotations

from typing import Literal

Schedule = Literal["one-shot", "iterative", "cubic"]


def round_count(*, schedule: Schedule, rounds: int) -> int:
    """Return how many rounds a schedule takes: one for ``one-shot``, whatever ``rounds`` says."""
    return 1 if schedule == "one-shot" else rounds


def amount_after(*, schedule: Schedule, amount: float, completed: int, rounds: int) -> float:
    """Return the fraction of the original that is pruned after ``completed`` rounds out of ``rounds``.

    Raises:
        ValueError: ``amount`` is not in [0, 1), or ``completed`` is not in [0, rounds].
    """
    if schedule == "iterative":
        return iterative_amount(amount=amount, completed=completed, rounds=rounds)
    if schedule == "cubic":
        return cubic_amount(amount=amount, completed=completed, rounds=rounds)
    _check(amount, completed, 1)
    return amount * completed


def iterative_amount(*, amount: float, completed: int, rounds: int) -> float:
    """Return ``1 - (1 - amount) ** (completed / rounds)``: every round removes the same fraction of what is left."""
    _check(amount, completed, rounds)
    # The last value is exact by definition, not to rounding.
    return amount if completed == rounds else 1 - (1 - amount) ** (completed / rounds)


def cubic_amount(*, amount: float, completed: int, rounds: int) -> float:
    """Return ``amount * (1 - (1 - completed / rounds) ** 3)``: much at first, little at the end.

    The schedule of automated gradual pruning (Zhu and Gupta 2017), starting from nothing.
    """
    _check(amount, completed, rounds)
    return amount * (1 - (1 - completed / rounds) ** 3)


def _check(amount: float, completed: int, rounds: int) -> None:
    if not 0 <= amount < 1:
        raise ValueError(f"amount must be in [0, 1), not {amount}")
    if rounds < 1 or not 0 <= completed <= rounds:
        raise ValueError(f"completed must be in [0, {rounds}], not {completed}")
