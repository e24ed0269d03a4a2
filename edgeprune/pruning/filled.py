"""Operators inside which removed channels go on counting as the zeros they are in the masked network.

A layer normalisation divides by the number of its features, and a mean by the number of its channels. With removed ones
left out they would compute something else; filled up with zeros to the old length they compute exactly what they did.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from edgeprune.pruning.walk import Fill, arguments, shape_of


class FilledLayerNorm(nn.LayerNorm):
    """Layer normalisation over ``filled_shape`` features, of which the last indices of every axis are zero."""

    filled_shape: tuple[int, ...]

    def forward(self, input: Tensor) -> Tensor:
        """Normalise the last axes, which have this module's ``normalized_shape``."""
        amounts = _amounts(self.normalized_shape, self.filled_shape)
        scale, shift = (None if value is None else F.pad(value, amounts) for value in (self.weight, self.bias))
        return _cut(F.layer_norm(F.pad(input, amounts), self.filled_shape, scale, shift, self.eps), amounts)


class FilledRMSNorm(nn.RMSNorm):
    """Root mean square normalisation over ``filled_shape`` features, of which the last of every axis are zero."""

    filled_shape: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axes, which have this module's ``normalized_shape``."""
        amounts = _amounts(self.normalized_shape, self.filled_shape)
        scale = None if self.weight is None else F.pad(self.weight, amounts)
        return _cut(F.rms_norm(F.pad(x, amounts), self.filled_shape, scale, self.eps), amounts)


class FilledGroupNorm(nn.GroupNorm):
    """Group normalisation with a single group of ``filled_channels`` channels, of which the last are zero."""

    filled_channels: int

    def forward(self, input: Tensor) -> Tensor:
        """Normalise all but the first axis."""
        more = self.filled_channels - self.num_channels
        scale, shift = (None if value is None else F.pad(value, [0, more]) for value in (self.weight, self.bias))
        amounts = [*[0, 0] * (input.ndim - 2), 0, more]
        result = F.group_norm(F.pad(input, amounts), self.num_groups, scale, shift, self.eps)
        return _cut(result, amounts)


def fill_features(module: nn.LayerNorm | nn.RMSNorm, shape: Sequence[int]) -> None:
    """Let a normalisation work on ``shape`` features and count as many as before, in place."""
    if not isinstance(module, (FilledLayerNorm, FilledRMSNorm)):
        before = tuple(module.normalized_shape)
        _become(module, FilledLayerNorm if isinstance(module, nn.LayerNorm) else FilledRMSNorm)
        vars(module)["filled_shape"] = before
    module.normalized_shape = tuple(shape)


def fill_channels(module: nn.GroupNorm, channels: int) -> None:
    """Let a normalisation of a single group work on ``channels`` channels and count as many as before, in place."""
    if not isinstance(module, FilledGroupNorm):
        before = module.num_channels
        _become(module, FilledGroupNorm)
        vars(module)["filled_channels"] = before
    module.num_channels = channels


def _become(module: nn.Module, base: type[nn.Module]) -> None:
    """Change a module's class and leave its tensors where they are."""
    object.__setattr__(module, "__class__", _filled(type(module), base))


def _filled(kind: type[nn.Module], base: type[nn.Module]) -> type[nn.Module]:
    """Return a class for a filled module; one derived from torch's reaches ``base`` by calling ``super().forward``."""
    if base.__mro__[1] is kind:
        return base
    return type(kind.__name__, (kind, base), {"__module__": kind.__module__})


def _amounts(live: Sequence[int], filled: Sequence[int]) -> list[int]:
    """Return the amounts ``pad`` takes: pairs, the last axis first."""
    pairs = [(0, after - before) for before, after in zip(live, filled, strict=True)]
    return [amount for pair in reversed(pairs) for amount in pair]


def _cut(result: Tensor, amounts: list[int]) -> Tensor:
    for place, amount in enumerate(amounts[1::2]):
        if amount:
            result = result.narrow(-1 - place, 0, result.shape[-1 - place] - amount)
    return result


def fill_operands(graph: fx.Graph, node: fx.Node, fill: Fill, missing: int, given: dict[str, fx.Node]) -> None:
    """Replace the operands of a copied node (``given`` by argument name) by filled ones."""
    for name, axis in fill.operands:
        inner = len(shape_of(arguments(node)[name])) - 1 - axis
        amounts = [*[0, 0] * inner, 0, missing]
        given[name] = graph.call_function(torch.ops.aten.constant_pad_nd.default, (given[name], amounts, 0))


def cut_result(graph: fx.Graph, result: fx.Node, fill: Fill, missing: int) -> fx.Node:
    """Take the filling off again."""
    if fill.result is None:
        return result
    return graph.call_function(torch.ops.aten.slice.Tensor, (result, fill.result, 0, fill.size - missing))


def count_in(graph: fx.Graph, name: str, live: fx.Node, gone: fx.Node, missing: int, size: int) -> fx.Node:
    """Return a reduction over ``size`` indices from that over those left and that over one of ``missing`` equal ones.

    ``name`` is ``sum``, ``mean``, ``amax`` or ``amin``.
    """
    if name in ("amax", "amin"):
        return graph.call_function(getattr(torch.ops.aten, f"{name[1:]}imum").default, (live, gone))
    shares = (1, missing) if name == "sum" else ((size - missing) / size, missing / size)
    parts = [
        graph.call_function(torch.ops.aten.mul.Tensor, (part, share))
        for part, share in zip((live, gone), shares, strict=True)
    ]
    return graph.call_function(torch.ops.aten.add.Tensor, tuple(parts))
