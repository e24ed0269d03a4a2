"""Numbers in a traced graph that depend on the batch size, found by tracing at two sizes.

A trace writes the batch size into its views and expansions, and multiples of it (batch times heads, batch times
windows). Two static traces tell which numbers these are, many times faster than one trace with symbolic sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from edgeprune.pruning.calls import Call
from edgeprune.pruning.trace import Trace


class Unlike(Exception):
    """Two traces differ in more than numbers that are linear in the batch size."""


@dataclass(frozen=True)
class Linear:
    """``slope * batch + offset``."""

    slope: int
    offset: int

    @staticmethod
    def through(sizes: tuple[int, int], values: tuple[int, int]) -> Linear:
        """Return the line through two points.

        Raises:
            Unlike: it is not a line of whole numbers.
        """
        slope, rest = divmod(values[1] - values[0], sizes[1] - sizes[0])
        if rest:
            raise Unlike(f"{values[0]} and {values[1]} at batch sizes {sizes[0]} and {sizes[1]}")
        return Linear(slope, values[0] - slope * sizes[0])


def batch_of(inputs: tuple[Tensor, ...]) -> int | None:
    """Return the length of the leading axis that all inputs share, if they do."""
    sizes = {value.shape[0] if value.ndim else None for value in inputs}
    return sizes.pop() if len(sizes) == 1 else None


def with_batch(inputs: tuple[Tensor, ...], size: int) -> tuple[Tensor, ...]:
    """Return inputs of another batch size: their samples over and over."""
    return tuple(value[torch.arange(size, device=value.device) % value.shape[0]] for value in inputs)


def require_alike(one: Trace, other: Trace) -> None:
    """Raise ``Unlike`` unless the traces hold the same operators in the same order on constants of the same shapes."""
    left, right = list(one.graph.nodes), list(other.graph.nodes)
    if [(node.op, node.name, node.target) for node in left] != [(node.op, node.name, node.target) for node in right]:
        raise Unlike("the operators differ")
    shapes = [{name: value.shape for name, value in traced.constants.items()} for traced in (one, other)]
    if shapes[0] != shapes[1]:
        raise Unlike("the constants differ")


def merged(one: Call, other: Call, sizes: tuple[int, int], number: Callable[[Linear], Any]) -> Call:
    """Return ``one`` with every integer that differs from ``other``'s replaced by ``number`` of its line.

    Raises:
        Unlike: something else differs.
    """
    if one.target != other.target or one.kwargs.keys() != other.kwargs.keys():
        raise Unlike(f"{one.target} against {other.target}")

    def merge(left: Any, right: Any) -> Any:
        if isinstance(left, fx.Node) and isinstance(right, fx.Node):
            if left.name != right.name:
                raise Unlike(f"{left.name} against {right.name}")
            return left
        if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
            if len(left) != len(right):
                raise Unlike(f"{left} against {right}")
            return type(left)(merge(a, b) for a, b in zip(left, right, strict=True))
        if left == right:
            return left
        if type(left) is int and type(right) is int:
            return number(Linear.through(sizes, (left, right)))
        raise Unlike(f"{left} against {right}")

    return Call(
        one.target,
        tuple(merge(a, b) for a, b in zip(one.args, other.args, strict=True)),
        {key: merge(value, other.kwargs[key]) for key, value in one.kwargs.items()},
    )
