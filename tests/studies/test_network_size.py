"""Weights, parameters and multiplications with what is masked left out, counted by hand."""

from __future__ import annotations

import torch
from torch import nn

from edgeprune.studies.network_size import NetworkSize, network_size


def test_counted_by_hand() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 16, 5))
    mask = torch.zeros(2, 1, 3, 3, dtype=torch.bool)
    mask[0, 0, 0] = True
    size = network_size(network, torch.zeros(1, 1, 4, 4), {"0.weight": mask})
    # 3 of 18 weights of the convolution at 16 positions each, 160 of the linear layer once.
    assert size == NetworkSize(
        weights=163, parameters=163 + 2 + 4 + 5, macs=3 * 16 + 160, kept={"0": round(3 / 18, 5), "3": 1.0}
    )
    assert network.training


def test_a_compact_network_is_compared_with_the_one_it_was_made_of() -> None:
    before, after = (nn.Sequential(nn.Linear(4, hidden), nn.Linear(hidden, 2)) for hidden in (8, 3))
    assert network_size(after, torch.zeros(1, 4), {}, before).kept == {"0": 3 / 8, "1": 3 / 8}
