"""Making the recipe's network, with or without weights from a file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from edgeprune.errors import UserError
from edgeprune.module_state import load_state
from edgeprune.pruning import Plan, compact_like
from edgeprune.recipe import ModelSource
from edgeprune.user_code import load_callable


def build_network(source: ModelSource, seed: int) -> nn.Module:
    """Return the network the recipe names, initialised from ``seed`` and then from ``source.weights`` if given.

    With ``source.plan`` it has the shapes that an earlier pruning left.

    Raises:
        UserError: the factory cannot be found, fails or does not return an ``nn.Module``, or the plan or the weights do
            not fit it.
    """
    factory = load_callable(source.factory)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            network = factory(**source.args)
        except UserError:
            raise
        except TypeError as error:
            raise UserError(f"model.args: {source.factory} does not take them: {error}") from error
        except Exception as error:  # the user's code may raise anything: a bad size, a missing file or package
            raise UserError(
                f"model.factory: {source.factory} with model.args {source.args} failed: {type(error).__name__}: {error}"
            ) from error
    if not isinstance(network, nn.Module):
        raise UserError(f"model.factory: {source.factory} returned {type(network).__name__}, not a torch.nn.Module")
    earlier = earlier_plan(source)
    if earlier is not None:
        network = compact_like(network, earlier)
    if source.weights is not None:
        load_weights(network, Path(source.weights))
    return network


def earlier_plan(source: ModelSource) -> Plan | None:
    """Return the plan of the pruning that the network went through before, if any.

    Raises:
        UserError: there is no such file, or it holds no plan.
    """
    return read_plan(Path(source.plan)) if source.plan is not None else None


def read_plan(path: Path) -> Plan:
    """Return the plan in a file.

    Raises:
        UserError: there is no such file, or it holds no plan.
    """
    try:
        return Plan.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None


def example_input(source: ModelSource, batch: int = 1) -> Tensor:
    """Return a seeded standard-normal batch of the recipe's input shape: ``(batch, *input_shape)``."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, *source.input_shape, generator=generator)


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a safetensors state dict.

    Raises:
        UserError: the file is missing, is not safetensors, or its names or shapes are not the network's.
    """
    try:
        load_state(network, load_file(path))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except SafetensorError as error:
        raise UserError(f"{path}: not a safetensors file: {error}") from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: does not fit the network: {reason}") from None


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the network's state dict as safetensors, through a temporary name."""
    temporary = path.with_name(path.name + ".tmp")
    save_file({name: value.detach().contiguous().cpu() for name, value in network.state_dict().items()}, temporary)
    temporary.replace(path)
