"""Which parameters single-weight pruning works on, and what their layers are called."""

from __future__ import annotations

from torch import nn

_SKIPPED = (nn.Embedding, nn.LayerNorm, nn.GroupNorm)


def prunable_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters with two axes or more, outside normalisations and embeddings, by name."""
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.ndim >= 2 and not isinstance(model.get_submodule(name.rpartition(".")[0]), _SKIPPED)
    }


def layer_of(name: str) -> str:
    """Return the module that a parameter called ``weight`` belongs to; any other parameter stands for itself."""
    module, _, leaf = name.rpartition(".")
    return module if leaf == "weight" and module else name
