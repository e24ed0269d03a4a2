"""Small changes to the choices of a schedule."""

from __future__ import annotations

import numpy as np
from tvm.s_tir.schedule import Instruction

from edgeprune.tuning.design import CATEGORY, TILE, Decision

_TWICE = 0.4


def mutated(
    decisions: tuple[Decision, ...],
    samples: list[Instruction],
    mate: tuple[Decision, ...],
    generator: np.random.Generator,
) -> tuple[Decision, ...]:
    """Return ``decisions`` with one or two of them changed.

    A prime factor of a loop moves from one of its tiles to another; a category is drawn anew. What can only be judged
    when it is applied (where to compute a block) is taken from ``mate``, other choices of the same design.
    """
    changed = list(decisions)
    for _ in range(1 + (generator.random() < _TWICE)):
        place = int(generator.integers(len(changed)))
        changed[place] = _other(changed[place], samples[place], mate[place], generator)
    return tuple(changed)


def _other(decision: Decision, sample: Instruction, mate: Decision, generator: np.random.Generator) -> Decision:
    if sample.kind.name == TILE and isinstance(decision, tuple):
        return _moved_factor(decision, int(sample.attrs[1]), generator)
    if sample.kind.name == CATEGORY:
        return int(generator.integers(len(sample.attrs[0])))
    return mate


def _moved_factor(factors: tuple[int, ...], most_innermost: int, generator: np.random.Generator) -> tuple[int, ...]:
    given = [place for place, factor in enumerate(factors) if factor > 1]
    if not given or len(factors) < 2:
        return factors
    source = int(generator.choice(given))
    target = int(generator.choice([place for place in range(len(factors)) if place != source]))
    prime = int(generator.choice(_primes(factors[source])))
    moved = list(factors)
    moved[source] //= prime
    moved[target] *= prime
    return tuple(moved) if moved[-1] <= most_innermost else factors


def _primes(number: int) -> list[int]:
    found, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return found
