"""More small networks: attention, normalisations, sharing, several inputs and outputs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Norms(nn.Module):
    """Group and instance normalisation, PReLU, transposed convolution and pixel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 16, 3, padding=1)
        self.group = nn.GroupNorm(8, 16)
        self.up = nn.ConvTranspose2d(16, 12, 2, stride=2)
        self.instance = nn.InstanceNorm2d(12, affine=True)
        self.slope = nn.PReLU(12)
        self.b = nn.Conv2d(12, 32, 3, padding=2, dilation=2)
        self.c = nn.Conv2d(8, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.slope(self.instance(self.up(F.relu(self.group(self.a(x))))))
        return self.c(F.pixel_shuffle(self.b(x), 2)).mean((2, 3))


class GroupedTranspose(nn.Module):
    """Grouped convolutions, one of them transposed, one with a channel multiplier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 1)
        self.up = nn.ConvTranspose2d(16, 24, 2, stride=2, groups=4)
        self.many = nn.Conv2d(24, 48, 3, groups=24)
        self.out = nn.Conv2d(48, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(self.many(F.relu(self.up(F.relu(self.stem(x))))))).mean((2, 3))


class FusedAttention(nn.Module):
    """A transformer block with one projection for queries, keys and values, and heads by an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 32, 4, 4)
        self.position = nn.Parameter(torch.zeros(1, 4, 32))
        self.norm = nn.LayerNorm(32)
        self.heads = 4
        self.qkv, self.project = nn.Linear(32, 96), nn.Linear(32, 32)
        self.wide, self.narrow = nn.Linear(32, 64), nn.Linear(64, 32)
        self.fc = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2) + self.position
        n, t, _ = x.shape
        qkv = self.qkv(self.norm(x)).reshape(n, t, 3, self.heads, 8).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        weights = ((q @ k.transpose(-2, -1)) * 8**-0.5).softmax(-1)
        x = x + self.project((weights @ v).transpose(1, 2).reshape(n, t, -1))
        x = x + self.narrow(F.gelu(self.wide(self.norm(x))))
        return self.fc(x.mean(1))


class GroupedQueries(nn.Module):
    """Fewer key and value heads than query heads."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = nn.Linear(16, 32), nn.Linear(16, 16), nn.Linear(16, 16)
        self.out = nn.Linear(32, 16)

    def forward(self, x: Tensor) -> Tensor:
        n, t, _ = x.shape
        q = self.q(x).view(n, t, -1, 8).transpose(1, 2)
        k = self.k(x).view(n, t, -1, 8).transpose(1, 2)
        v = self.v(x).view(n, t, -1, 8).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        return self.out(y.transpose(1, 2).flatten(2))


class TorchAttention(nn.Module):
    """nn.MultiheadAttention and a feed-forward part."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.wide, self.narrow = nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return x + self.narrow(F.silu(self.wide(x)))


class Shared(nn.Module):
    """A module called twice and a weight used by two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.twice = nn.Conv2d(12, 12, 3, padding=1)
        self.left, self.right = nn.Conv2d(12, 8, 1), nn.Conv2d(12, 8, 1)
        self.right.weight = self.left.weight
        self.out = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.twice(F.relu(self.twice(F.relu(self.stem(x))))))
        return self.out(F.relu(self.left(x)) + F.relu(self.right(x))).mean((2, 3))


class ManyEnds(nn.Module):
    """Two inputs, a dictionary of outputs, parameters used directly, one and three dimensional convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Conv1d(4, 12, 3, padding=1)
        self.volume = nn.Conv3d(2, 12, 3, padding=1)
        self.gain = nn.Parameter(torch.ones(12, 1))
        self.mixed = nn.Parameter(torch.zeros(12, 10))
        self.head, self.side = nn.Linear(10, 3), nn.Linear(12, 2)

    def forward(self, line: Tensor, volume: Tensor) -> dict[str, Tensor]:
        one = (self.line(line) * self.gain).mean(-1)
        other = self.volume(volume).flatten(2).amax(-1)
        joined = F.relu(one + other)
        return {"main": self.head(F.relu(joined @ self.mixed)), "side": self.side(joined)}


class Gated(nn.Module):
    """GLU, einsum, a flipped and repeated axis, chained concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(4, 16, 3)
        self.mix = nn.Parameter(torch.zeros(8, 12))
        self.last = nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.glu(self.stem(x), dim=1)
        y = F.relu(torch.einsum("ncl,cd->nld", x, self.mix))
        return self.last(torch.cat([y.flip(-1), y], -1)).mean(1)


class ShuffleUnits(nn.Module):
    """Two halves, one of which goes round the layers, joined and shuffled, several times over."""

    def __init__(self, units: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(8, 12, 1), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 8, 3, padding=1))
            for _ in range(units)
        )
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for branch in self.branches:
            left, right = x.chunk(2, dim=1)
            x = torch.cat([left, branch(right)], 1)
            n, c, h, w = x.shape
            x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        return self.fc(x.mean((2, 3)))


class Dense(nn.Module):
    """Every layer reads all layers before it."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        widths = range(8, 8 + 4 * layers, 4)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.convs = nn.ModuleList(nn.Conv2d(width, 4, 3, padding=1) for width in widths)
        self.fc = nn.Linear(8 + 4 * layers, 5)

    def forward(self, x: Tensor) -> Tensor:
        seen = [self.stem(x)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            seen.append(conv(F.relu(norm(torch.cat(seen, 1)))))
        return self.fc(torch.cat(seen, 1).mean((2, 3)))


class DropPath(nn.Module):
    """Stochastic depth at its extreme: in training the branch is left out."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x) if self.training else x


class StochasticDepth(nn.Module):
    """Residual branches that training leaves out, and a size written into the code."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.drop = nn.Conv2d(3, 8, 3, padding=1), DropPath()
        self.one, self.two = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8 * 64, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        x = x + self.drop(self.one(x))
        x = x + self.drop(self.two(x))
        return self.fc(x.view(-1, 512))
