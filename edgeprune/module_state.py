"""Loading a state dict that came from a file without pickle."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from torch import Tensor, nn


def load_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load a state dict that was saved from modules of today's versions.

    A file of tensors has no place for the modules' versions, and some modules take a state without one for one of
    their first, and mend or refuse it.

    Raises:
        RuntimeError: names or shapes are not the network's.
    """
    versioned = OrderedDict(state)
    versioned._metadata = network.state_dict()._metadata  # type: ignore[attr-defined]
    network.load_state_dict(versioned, strict=True)
