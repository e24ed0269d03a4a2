"""The networks of the bench as ONNX files, made anew from seeds wherever they are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from reference_networks import REFERENCES, Reference, build
from torch import nn

from edgeprune.exporting import export_onnx
from edgeprune.models import lenet5
from edgeprune.pruning import compact, make_plan, plan_masks
from edgeprune.recipe import Prune

Kind = Literal["dense", "pruned", "odd"]
"""What a network's goal depends on: whether channels were removed, and whether the counts left are odd."""


@dataclass(frozen=True)
class Network:
    """A network by ``name``; ``make`` returns it in evaluation mode, ``shape`` is its input's without the batch."""

    name: str
    title: str
    kind: Kind
    shape: tuple[int, int, int]
    make: Callable[[], nn.Module]

    def write(self, path: Path) -> None:
        """Export it with a batch of 1."""
        export_onnx(self.make(), torch.zeros(1, *self.shape), path)


def _reference(name: str) -> Reference:
    return next(reference for reference in REFERENCES if reference.name == name)


def _dense(name: str, title: str, kind: Kind = "dense") -> Network:
    reference = _reference(name)
    return Network(name, title, kind, reference.input_shape, lambda: build(reference))


def _lenet5() -> nn.Module:
    torch.manual_seed(0)
    return lenet5().eval()


def _resnet20_pruned(round_to: int) -> nn.Module:
    """ResNet-20 with about half of its multiply-adds, the weakest channels of every layer removed."""
    reference = _reference("resnet20")
    network, example = build(reference), (torch.zeros(1, *reference.input_shape),)
    plan = make_plan(network, example, Prune(amount=0.5, unit="macs", round_to=round_to))
    plan_masks(network, plan).apply(network)
    return compact(network, plan).eval()


def _resnet20_strided() -> nn.Module:
    """The two convolutions of ResNet-20 that Winograd's method does not compute: each search has its own schedules."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU()]
    return nn.Sequential(*layers).eval()


NETWORKS = (
    Network("lenet5", "LeNet-5", "dense", (1, 28, 28), _lenet5),
    _dense("lenet5-pruned", "LeNet-5 as its recipe prunes it", "pruned"),
    _dense("resnet20", "ResNet-20"),
    Network("resnet20-odd", "ResNet-20, half the MACs, odd counts", "odd", (3, 32, 32), lambda: _resnet20_pruned(1)),
    Network("resnet20-eights", "ResNet-20, half the MACs, eights", "pruned", (3, 32, 32), lambda: _resnet20_pruned(8)),
    _dense("resnet8", "ResNet8"),
    _dense("mobilenet-v1-0.25", "MobileNetV1-0.25 (96x96)"),
    _dense("ds-cnn", "DS-CNN"),
    _dense("mobilenet-v2", "MobileNetV2 (224x224)"),
)
"""Every network that a part may ask for, in the order of the tables."""

KERNELS = (Network("resnet20-strided", "ResNet-20's strided convolutions", "dense", (16, 32, 32), _resnet20_strided),)
"""Networks of few kernels, for what compares searches."""


def network(name: str) -> Network:
    """Return the network called ``name``."""
    return next(found for found in (*NETWORKS, *KERNELS) if found.name == name)
