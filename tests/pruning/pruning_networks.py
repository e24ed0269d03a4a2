"""Small networks with one structure each, for the removal tests."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def randomised(model: nn.Module, seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Give every parameter and statistic a non-trivial value, batch normalisation's shift included."""
    generator = torch.Generator().manual_seed(seed)
    model = model.to(dtype).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            fan = max(parameter[0].numel() if parameter.ndim > 1 else 1, 1)
            scale = fan**-0.5 if parameter.ndim > 1 else 0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
            if name.endswith("weight") and parameter.ndim == 1:
                parameter.add_(1.0)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.5)
            if name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return model


class LeNet5(nn.Module):
    """The Caffe variant, flattened by a flexible call."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 20, 5), nn.Conv2d(20, 50, 5)
        self.fc1, self.fc2 = nn.Linear(800, 500), nn.Linear(500, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.max_pool2d(self.conv2(x), 2)
        return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))


class LiteralView(LeNet5):
    """The same with a size written into the code."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.max_pool2d(self.conv2(x), 2)
        return self.fc2(F.relu(self.fc1(x.view(-1, 800))))


def lenet300() -> nn.Module:
    """LeNet-300-100."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def depthwise() -> nn.Module:
    """Depthwise-separable blocks with batch normalisation."""

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]

    stem = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)]
    return nn.Sequential(*stem, *block(16, 24), *block(24, 32), *head)


class BasicBlock(nn.Module):
    """A residual block."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.down = None
        if stride > 1 or inputs != outputs:
            self.down = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        y += x if self.down is None else self.down(x)
        return F.relu(y, inplace=True)


class ResNet(nn.Module):
    """Three residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(BasicBlock(16, 16, 1), BasicBlock(16, 32, 2), BasicBlock(32, 32, 1))
        self.fc = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(self.stem(x)).mean((2, 3)))


class Concat(nn.Module):
    """Branches concatenated, one of them the input itself, then normalised together."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 12, 1)
        self.bn = nn.BatchNorm2d(23)
        self.c = nn.Conv2d(23, 16, 3)
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([self.a(x), x, F.relu(self.b(x))], 1)
        return self.fc(F.relu(self.c(F.relu(self.bn(y)))).amax((2, 3)))


class Chunk(nn.Module):
    """A layer's channels taken apart into branches of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, padding=1)
        self.left, self.right = nn.Conv2d(12, 8, 3, padding=1), nn.Conv2d(12, 8, 1)
        self.last = nn.Conv2d(16, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.stem(x).relu().chunk(2, 1)
        return self.last(torch.cat([self.left(left), self.right(right)], 1)).mean((2, 3))


class Shuffle(nn.Module):
    """Channel shuffle written with views, between grouped convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 1)
        self.grouped = nn.Conv2d(24, 24, 3, padding=1, groups=3)
        self.bn = nn.BatchNorm2d(24)
        self.mix = nn.Conv2d(24, 16, 1)
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.grouped(F.relu(self.stem(x)))))
        n, c, h, w = x.shape
        x = x.view(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.fc(F.relu(self.mix(x)).mean((2, 3)))


class SqueezeExcite(nn.Module):
    """A gate broadcast over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3)
        self.bn = nn.BatchNorm2d(16)
        self.squeeze, self.excite = nn.Conv2d(16, 8, 1), nn.Conv2d(8, 16, 1)
        self.out = nn.Conv2d(16, 12, 1)
        self.fc = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.bn(self.conv(x)))
        gate = F.adaptive_avg_pool2d(x, 1)
        x = x * torch.sigmoid(self.excite(F.relu(self.squeeze(gate))))
        return self.fc(F.hardswish(self.out(x)).mean((2, 3)))


class Split(nn.Module):
    """Unequal pieces by sizes written into the code."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 20, 3)
        self.left, self.right = nn.Conv2d(12, 8, 1), nn.Conv2d(8, 8, 1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        left, right = torch.split(F.relu(self.stem(x)), [12, 8], dim=1)
        return self.fc((self.left(left) + self.right(right)).mean((2, 3)))


class AttributeSplit(Split):
    """The same with the sizes in an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = [12, 8]

    def forward(self, x: Tensor) -> Tensor:
        left, right = torch.split(F.relu(self.stem(x)), self.sizes, dim=1)
        return self.fc((self.left(left) + self.right(right)).mean((2, 3)))
