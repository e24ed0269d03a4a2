"""Which networks are lowered: one per family of torchvision and timm at a small input, and MLPerf Tiny's four."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from pruning_bench.timm_families import FAMILIES
from pruning_bench.zoos import ZOOS as PRUNED
from pruning_bench.zoos import Zoo
from reference_networks import REFERENCES, Reference
from torch import Tensor, nn

# The smallest network of every family that torchvision lists, smallest first.
_TORCHVISION = (
    *("squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", "mobilenet_v3_small", "mobilenet_v2", "regnet_x_400mf"),
    *("regnet_y_400mf", "efficientnet_b0", "googlenet", "densenet121", "resnet18", "resnext50_32x4d", "resnet50"),
    *("efficientnet_v2_s", "inception_v3", "convnext_tiny", "swin_t", "swin_v2_t", "maxvit_t", "alexnet"),
    *("wide_resnet50_2", "vit_b_32", "vgg11", "vgg11_bn"),
)


class Autoencoder(nn.Module):
    """MLPerf Tiny's anomaly detector: 640 spectral features through a neck of eight and back."""

    def __init__(self) -> None:
        super().__init__()
        widths = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(128, 640))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[N, 640]``."""
        restored: Tensor = self.layers(x)
        return restored


_REFERENCES = {reference.name: reference for reference in REFERENCES}
_AUTOENCODER = "autoencoder"


def _tiny_shape(name: str) -> tuple[tuple[int, ...], dict[str, Any]]:
    return ((640,) if name == _AUTOENCODER else _REFERENCES[name].input_shape), {}


def _tiny_network(name: str, _settings: dict[str, Any]) -> nn.Module:
    if name == _AUTOENCODER:
        return Autoencoder()
    found: Reference = _REFERENCES[name]
    return found.make()


class Determinant(nn.Module):
    """A network with an operator that no artifact has."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[N, C]``."""
        determinants: Tensor = torch.linalg.det(x)
        return determinants


def _built_in(name: str, settings: dict[str, Any]) -> nn.Module:
    return Determinant() if name == "refused" else PRUNED["built-in"].factory(name, settings)


ZOOS = {
    zoo.name: zoo
    for zoo in (
        Zoo(
            "tiny",
            (),
            lambda: [*_REFERENCES, _AUTOENCODER],
            _tiny_shape,
            _tiny_network,
            ("ds-cnn", "resnet8", "autoencoder"),
            "nothing",
        ),
        Zoo(
            "torchvision",
            ("torchvision",),
            lambda: list(_TORCHVISION),
            PRUNED["torchvision"].shape,
            PRUNED["torchvision"].factory,
            ("squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", "mobilenet_v3_small"),
            "larger networks of the same families, quantised ones, detection, segmentation and video",
        ),
        Zoo(
            "timm",
            ("timm",),
            lambda: list(FAMILIES),
            PRUNED["timm"].shape,
            PRUNED["timm"].factory,
            tuple(name for name in FAMILIES if name.startswith("test_")),
            "larger networks of the same families, and families of large networks only",
        ),
        Zoo(
            "built-in",
            (),
            lambda: ["plain", "refused"],
            lambda _: ((3, 16, 16), {}),
            _built_in,
            ("plain", "refused"),
            "nothing",
        ),
    )
}
"""Every zoo by name; ``built-in`` needs no package and is for the tests."""
