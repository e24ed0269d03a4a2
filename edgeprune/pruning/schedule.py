"""How much is pruned after each round, as pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from edgeprune.errors import UserError
from edgeprune.user_code import load_callable

UserSchedule = Callable[..., float]
"""Called as ``f(completed=1, rounds=3, amount=0.9)``; returns the fraction of the original gone after that round."""


def planned_amounts(schedule: str | Sequence[float] | UserSchedule, amount: float, rounds: int) -> tuple[float, ...]:
    """Return the fraction of the original that is gone after each of ``rounds`` rounds.

    ``schedule`` is ``one-shot`` (one round, whatever ``rounds`` says), ``iterative``, ``cubic``, the fractions
    themselves, a function of the user's, or where one is found (``package.module:callable`` or
    ``path/to/file.py:callable``).

    Raises:
        UserError: a user's schedule gives no fraction in [0, 1), falls, or does not end at ``amount``.
    """
    if schedule == "one-shot":
        return (amount,)
    if isinstance(schedule, Sequence) and not isinstance(schedule, str):
        return _checked("the list", list(schedule), amount)
    own = {"iterative": iterative_amount, "cubic": cubic_amount}.get(schedule) if isinstance(schedule, str) else None
    if own is not None:
        return tuple(own(amount=amount, completed=completed, rounds=rounds) for completed in range(1, rounds + 1))
    name = schedule if isinstance(schedule, str) else getattr(schedule, "__qualname__", repr(schedule))
    function = load_callable(schedule) if isinstance(schedule, str) else schedule
    return _checked(name, [function(completed=n, rounds=rounds, amount=amount) for n in range(1, rounds + 1)], amount)


def _checked(name: str, values: list[float], amount: float) -> tuple[float, ...]:
    before = 0.0
    for number, value in enumerate(values, 1):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
            raise UserError(
                f"prune.schedule: {name} gave {value!r} after round {number}; a fraction in [0, 1) is wanted"
            )
        if value < before:
            raise UserError(f"prune.schedule: {name} falls from {before:g} to {value:g} in round {number}")
        before = float(value)
    if not math.isclose(before, amount, rel_tol=1e-9):
        raise UserError(f"prune.schedule: {name} ends at {before:g}, but prune.amount is {amount:g}")
    # The last value is exact by definition, not to rounding.
    return (*(float(value) for value in values[:-1]), amount)


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
