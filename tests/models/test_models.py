from __future__ import annotations

import pytest
import torch
from torch import nn

from edgeprune.models import dscnn, lenet5, lenet300


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_parameters_are_those_of_the_literature() -> None:
    assert parameters(lenet5()) == 431_080
    assert parameters(lenet300()) == 266_610


def test_lenet5_layer_shapes() -> None:
    shapes = {name: tuple(p.shape) for name, p in lenet5().named_parameters() if name.endswith("weight")}
    assert shapes == {
        "conv1.weight": (20, 1, 5, 5),
        "conv2.weight": (50, 20, 5, 5),
        "fc1.weight": (500, 800),
        "fc2.weight": (10, 500),
    }


def test_dscnn_halves_the_size_and_doubles_the_channels_in_the_middle() -> None:
    model = dscnn(width=8, blocks=3, classes=4)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.groups, c.stride[0]) for c in convolutions] == [
        (1, 8, 1, 2),
        (8, 8, 8, 1),
        (8, 8, 1, 1),
        (8, 8, 8, 2),
        (8, 16, 1, 1),
        (16, 16, 16, 1),
        (16, 16, 1, 1),
    ]
    first = 9 * 8 + 2 * 8
    blocks = (9 * 8 + 2 * 8 + 8 * 8 + 2 * 8) + (9 * 8 + 2 * 8 + 8 * 16 + 2 * 16) + (9 * 16 + 2 * 16 + 16 * 16 + 2 * 16)
    assert parameters(model) == first + blocks + (16 * 4 + 4)


def test_dscnn_refuses_no_blocks() -> None:
    with pytest.raises(ValueError, match=r"^dscnn: width and blocks must be at least 1, not 32 and 0$"):
        dscnn(blocks=0)


@pytest.mark.parametrize("factory", [lenet5, lenet300, dscnn])
def test_output_is_one_logit_per_class(factory) -> None:
    assert factory(classes=7)(torch.zeros(3, 1, 28, 28)).shape == (3, 7)
