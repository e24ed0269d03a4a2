"""The networks that small boards are compared on, as their papers and MLPerf Tiny give them, with seeded weights.

Weights are random unless a file is given: sizes, memory and agreement with ONNX Runtime need no training. Batch
normalisation gets the statistics of random images, so that activations stay in the range of a trained network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_CALIBRATION_IMAGES = 8


@dataclass(frozen=True)
class Reference:
    """A network, the shape ``(C, H, W)`` of its input, and what its executable may cost beyond its weights."""

    name: str
    make: Callable[[], nn.Module]
    input_shape: tuple[int, int, int]
    overhead_bytes: int = 160 * 1024


def build(reference: Reference, *, seed: int = 0, weights: Path | None = None) -> nn.Module:
    """Return the network in evaluation mode, with the weights of a state-dict file or seeded ones."""
    torch.manual_seed(seed)
    network = reference.make()
    if weights is not None:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    else:
        _calibrate(network, reference.input_shape)
    return network.eval()


def _calibrate(network: nn.Module, shape: tuple[int, int, int]) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain mean over all batches, and there is one
    network.train()
    with torch.no_grad():
        network(torch.randn(_CALIBRATION_IMAGES, *shape))


class PrunedLeNet5(nn.Module):
    """LeNet-5 in Caffe's variant as ``recipes/lenet5-mnist.toml`` leaves it: 8 and 16 channels, 96 neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 5), nn.Conv2d(8, 16, 5)
        self.fc1, self.fc2 = nn.Linear(16 * 16, 96), nn.Linear(96, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[N, 10]``."""
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.max_pool2d(self.conv2(x), 2)
        logits: Tensor = self.fc2(F.relu(self.fc1(x.flatten(1))))
        return logits


def _conv_bn(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    padding = (size - 1) // 2
    return [nn.Conv2d(inputs, outputs, size, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(outputs)]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: a 1x1 convolution, or (He et al. 2016, option A) every other pixel."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, projection: bool) -> None:
        super().__init__()
        first = [*_conv_bn(inputs, outputs, 3, stride), nn.ReLU()]
        self.body = nn.Sequential(*first, *_conv_bn(outputs, outputs, 3))
        self.projection = nn.Conv2d(inputs, outputs, 1, stride) if projection and inputs != outputs else None
        self.added, self.stride = outputs - inputs, stride

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[N, outputs, H / stride, W / stride]``."""
        shortcut = x
        if self.projection is not None:
            shortcut = self.projection(x)
        elif self.added:
            shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))
        return F.relu(self.body(x) + shortcut)


def _resnet(blocks: int, *, projection: bool) -> nn.Module:
    layers: list[nn.Module] = [*_conv_bn(3, 16, 3), nn.ReLU()]
    inputs = 16
    for outputs in (16, 32, 64):
        for block in range(blocks):
            stride = 2 if block == 0 and outputs > 16 else 1
            layers.append(ResidualBlock(inputs, outputs, stride, projection=projection))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def resnet20() -> nn.Module:
    """CIFAR's ResNet-20 (He et al. 2016), 0.27 M parameters."""
    return _resnet(3, projection=False)


def resnet8() -> nn.Module:
    """MLPerf Tiny's image classifier, 78 k parameters."""
    return _resnet(1, projection=True)


def _separable(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    depthwise = [*_conv_bn(inputs, inputs, 3, stride, groups=inputs), nn.ReLU()]
    return [*depthwise, *_conv_bn(inputs, outputs, 1), nn.ReLU()]


def mobilenet_v1_quarter() -> nn.Module:
    """MLPerf Tiny's person detector: MobileNet (Howard et al. 2017) of width 0.25 on 96x96."""
    layers: list[nn.Module] = [*_conv_bn(3, 8, 3, 2), nn.ReLU()]
    inputs = 8
    for outputs, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)):
        layers += _separable(inputs, outputs, stride)
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 2))


def dscnn_keywords() -> nn.Module:
    """MLPerf Tiny's keyword spotter: four separable blocks of 64 channels on 49x10 cepstral coefficients."""
    first = [nn.Conv2d(1, 64, (10, 4), 2, padding=(4, 1), bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    blocks = [layer for _ in range(4) for layer in _separable(64, 64, 1)]
    return nn.Sequential(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))


class InvertedResidual(nn.Module):
    """Expand, filter, project (Sandler et al. 2018), with torchvision's names."""

    def __init__(self, inputs: int, outputs: int, stride: int, expand: int) -> None:
        super().__init__()
        hidden = inputs * expand
        layers: list[nn.Module] = []
        if expand != 1:
            layers.append(nn.Sequential(*_conv_bn(inputs, hidden, 1), nn.ReLU6()))
        layers.append(nn.Sequential(*_conv_bn(hidden, hidden, 3, stride, groups=hidden), nn.ReLU6()))
        self.conv = nn.Sequential(*layers, *_conv_bn(hidden, outputs, 1))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[N, outputs, H / stride, W / stride]``."""
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """MobileNetV2 of width 1 on 224x224, 1000 classes; takes torchvision's ``mobilenet_v2`` weights."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Sequential(*_conv_bn(3, 32, 3, 2), nn.ReLU6())]
        inputs = 32
        stages = (
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        )
        for expand, outputs, count, stride in stages:
            for block in range(count):
                layers.append(InvertedResidual(inputs, outputs, stride if block == 0 else 1, expand))
                inputs = outputs
        layers.append(nn.Sequential(*_conv_bn(inputs, 1280, 1), nn.ReLU6()))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[N, 1000]``."""
        logits: Tensor = self.classifier(self.features(x).mean([2, 3]))
        return logits


REFERENCES = (
    Reference("lenet5-pruned", PrunedLeNet5, (1, 28, 28), overhead_bytes=64 * 1024),
    Reference("ds-cnn", dscnn_keywords, (1, 49, 10)),
    Reference("resnet8", resnet8, (3, 32, 32)),
    Reference("resnet20", resnet20, (3, 32, 32)),
    Reference("mobilenet-v1-0.25", mobilenet_v1_quarter, (3, 96, 96)),
    Reference("mobilenet-v2", MobileNetV2, (3, 224, 224)),
)
