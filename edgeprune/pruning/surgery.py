"""Taking channels out of a module in place: its tensors and the attributes that repeat their sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from edgeprune.errors import UserError
from edgeprune.pruning.filled import fill_channels, fill_features
from edgeprune.pruning.plan import Kept
from edgeprune.pruning.trace import named_tensors

Axes = Mapping[int, tuple[int, ...]]


def shrink(model: nn.Module, kept: Kept) -> None:
    """Select the kept indices of every parameter and buffer and mend known modules' attributes, in place.

    Raises:
        UserError: a name or an index does not fit the network.
    """
    shrunk: dict[int, Tensor] = {}
    tensors = named_tensors(model)
    for name, axes in kept.items():
        if name not in tensors:
            raise UserError(f"kept indices: this network has no tensor {name}")
        module, leaf = _owner(model, name)
        _mend(module, leaf, axes)
        tensor = tensors[name]
        if id(tensor) not in shrunk:
            shrunk[id(tensor)] = _selected(name, tensor, axes)
        if leaf in module._parameters:
            module._parameters[leaf] = shrunk[id(tensor)]  # type: ignore[assignment]
        else:
            module._buffers[leaf] = shrunk[id(tensor)]


def _owner(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    path, _, leaf = name.rpartition(".")
    return model.get_submodule(path), leaf


def select(tensor: Tensor, axes: Axes) -> Tensor:
    """Return the kept indices of a tensor as a new one."""
    result = tensor.detach()
    for axis, indices in axes.items():
        result = result.index_select(axis, torch.tensor(indices, dtype=torch.int64, device=tensor.device))
    return result.clone(memory_format=torch.contiguous_format)


def _selected(name: str, tensor: Tensor, axes: Axes) -> Tensor:
    for axis, indices in axes.items():
        if axis >= tensor.ndim or (indices and max(indices) >= tensor.shape[axis]):
            raise UserError(f"kept indices: {name} has shape {tuple(tensor.shape)}, they are for another network")
    values = select(tensor, axes)
    return nn.Parameter(values, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else values


def _mend(module: nn.Module, leaf: str, axes: Axes) -> None:
    """Correct what a known module says of its sizes; unknown modules are seen to after a trial run."""
    for kind, mend in _MENDERS:
        if isinstance(module, kind):
            mend(module, leaf, axes)
            return


def _groups_left(indices: tuple[int, ...], size: int, groups: int) -> int:
    each = size // groups
    return len({index // each for index in indices})


def _convolution(module: nn.Module, leaf: str, axes: Axes) -> None:
    assert isinstance(module, _ConvNd)
    if leaf != "weight":
        return
    rows, columns = module.weight.shape[:2]
    groups = module.groups
    if 0 in axes:
        module.groups = _groups_left(axes[0], rows, groups)
    rows = len(axes.get(0, range(rows)))
    columns = len(axes.get(1, range(columns)))
    if isinstance(module, _ConvTransposeNd):
        module.in_channels, module.out_channels = rows, columns * module.groups
    else:
        module.out_channels, module.in_channels = rows, columns * module.groups


def _linear(module: nn.Module, leaf: str, axes: Axes) -> None:
    assert isinstance(module, nn.Linear)
    if leaf == "weight":
        module.out_features = len(axes.get(0, range(module.out_features)))
        module.in_features = len(axes.get(1, range(module.in_features)))


def _per_channel(module: nn.Module, leaf: str, axes: Axes) -> None:
    assert isinstance(module, _NormBase)
    if 0 in axes:
        module.num_features = len(axes[0])


def _group_norm(module: nn.Module, leaf: str, axes: Axes) -> None:
    assert isinstance(module, nn.GroupNorm)
    if leaf == "weight" and 0 in axes and module.num_groups == 1:
        fill_channels(module, len(axes[0]))
    elif leaf == "weight" and 0 in axes:
        module.num_groups = _groups_left(axes[0], module.num_channels, module.num_groups)
        module.num_channels = len(axes[0])


def _features(module: nn.Module, leaf: str, axes: Axes) -> None:
    assert isinstance(module, (nn.LayerNorm, nn.RMSNorm))
    if leaf == "weight":
        fill_features(module, [len(axes.get(axis, range(size))) for axis, size in enumerate(module.normalized_shape)])


def _prelu(module: nn.Module, leaf: str, axes: Axes) -> None:
    assert isinstance(module, nn.PReLU)
    module.num_parameters = len(axes[0])


def _embedding(module: nn.Module, leaf: str, axes: Axes) -> None:
    assert isinstance(module, nn.Embedding)
    module.embedding_dim = len(axes.get(1, range(module.embedding_dim)))


_MENDERS: tuple[tuple[type[nn.Module], Callable[[nn.Module, str, Axes], None]], ...] = (
    (_ConvNd, _convolution),
    (nn.Linear, _linear),
    (_NormBase, _per_channel),
    (nn.GroupNorm, _group_norm),
    (nn.LayerNorm, _features),
    (nn.RMSNorm, _features),
    (nn.PReLU, _prelu),
    (nn.Embedding, _embedding),
)
