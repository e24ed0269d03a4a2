"""Dropout while a pruned network retrains: a network with less capacity needs less of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from edgeprune.errors import UserError
from edgeprune.evaluation_mode import evaluation_mode

_NOT_LAYERS = (nn.Embedding, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True)
class Dropout:
    """One dropout module of the original network.

    ``rate`` is what it drops there (D_o), ``connections`` the entries of the weights that read what it gives (C_io).
    """

    name: str
    rate: float
    weights: tuple[str, ...]
    connections: int

    def adjusted(self, live: Mapping[str, int]) -> float:
        """Return D_r = D_o * sqrt(C_ir / C_io), C_ir from the number of entries of each weight that live.

        Han, Pool, Tran, Dally, "Learning both weights and connections for efficient neural networks" (2015), section
        3.2, where C_i = N_i * N_(i-1) counts the connections of a layer: dropout works on neurons, and connections
        grow with their square.
        """
        return self.rate * math.sqrt(sum(live[name] for name in self.weights) / self.connections)


def find_dropouts(model: nn.Module, samples: Tensor) -> tuple[Dropout, ...]:
    """Return every ``nn.Dropout`` (also 1d, 2d, 3d) with the layers that read it next, by the flow of the data.

    A layer is a module with a weight of two axes or more, other than an embedding or a normalisation; what lies
    between (activations, pooling, reshaping, joins) is passed through. A dropout that no layer reads has no weights.

    Raises:
        UserError: there is no dropout that drops something and that a layer reads.
    """
    weights = dict(model.named_parameters(remove_duplicate=False))
    readers = _readers(model, samples)
    found = []
    for name, module in model.named_modules():
        if isinstance(module, _DropoutNd):
            read = tuple(dict.fromkeys(readers.get(name, ())))
            found.append(Dropout(name, module.p, read, sum(weights[weight].numel() for weight in read)))
    if not any(one.rate and one.connections for one in found):
        raise UserError(
            "retrain.adjust_dropout: the network has no nn.Dropout module with a rate above 0 whose output a layer "
            "with weights reads; remove the key"
        )
    return tuple(found)


@contextmanager
def dropout_rates(model: nn.Module, rates: Mapping[str, float]) -> Iterator[None]:
    """Let the named dropout modules drop these fractions inside the block."""
    modules = {name: model.get_submodule(name) for name in rates}
    before = {name: module.p for name, module in modules.items()}
    for name, module in modules.items():
        module.p = rates[name]  # type: ignore[assignment]  # a plain attribute of every dropout
    try:
        yield
    finally:
        for name, module in modules.items():
            module.p = before[name]


def _readers(model: nn.Module, samples: Tensor) -> dict[str, list[str]]:
    """Run the network and follow autograd's graph back from what each layer reads."""
    layers = {
        name: [f"{name}.{leaf}" if name else leaf for leaf, value in own if value.dim() > 1]
        for name, module in model.named_modules()
        if not isinstance(module, _NOT_LAYERS) and (own := list(module.named_parameters(recurse=False)))
    }
    walk = _Walk({}, set(), {})
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, _DropoutNd):
            hooks.append(module.register_forward_hook(walk.marking(name)))
        elif layers.get(name):
            hooks.append(module.register_forward_pre_hook(walk.reading(layers[name]), with_kwargs=True))
            hooks.append(module.register_forward_hook(walk.stopping()))
    held = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    for parameter in held:
        parameter.requires_grad_(True)
    try:
        with evaluation_mode(model), torch.enable_grad():
            # Not a leaf, which a network that works in place could not write to.
            model(samples.clone().requires_grad_(samples.is_floating_point()).clone())
    finally:
        for parameter in held:
            parameter.requires_grad_(False)
        for hook in hooks:
            hook.remove()
    return walk.found


@dataclass(frozen=True)
class _Walk:
    """Nodes of autograd's graph: where a dropout's output was made, and where a layer's was, beyond which none looks.

    The nodes are held here, since autograd makes a new Python object for one that nobody holds.
    """

    dropouts: dict[Any, str]
    stops: set[Any]
    found: dict[str, list[str]]

    def marking(self, name: str) -> Any:
        def mark(module: nn.Module, arguments: Any, output: Tensor) -> Tensor:
            # A node of its own: in evaluation mode a dropout gives back what it was given.
            marked = output.clone()
            self.dropouts[marked.grad_fn] = name
            return marked

        return mark

    def stopping(self) -> Any:
        def stop(module: nn.Module, arguments: Any, output: Any) -> None:
            self.stops.update(value.grad_fn for value in _tensors(output) if value.grad_fn is not None)

        return stop

    def reading(self, weights: list[str]) -> Any:
        def read(module: nn.Module, arguments: Any, keywords: Any) -> None:
            for name in self.behind(value.grad_fn for value in _tensors((arguments, keywords))):
                self.found.setdefault(name, []).extend(weights)

        return read

    def behind(self, starts: Iterable[Any]) -> list[str]:
        """Return the dropouts behind autograd's nodes that no layer lies in front of."""
        names, seen, open_nodes = [], set(), [node for node in starts if node is not None]
        while open_nodes:
            node = open_nodes.pop()
            if node in seen or node in self.stops:
                continue
            seen.add(node)
            if node in self.dropouts:
                names.append(self.dropouts[node])
            open_nodes += [before for before, _ in node.next_functions if before is not None]
        return names


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [tensor for part in value for tensor in _tensors(part)] if isinstance(value, (list, tuple)) else []
