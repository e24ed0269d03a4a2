"""The structures random graphs are made of: each takes and gives an image with an even number of channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """``outputs`` are the channels it gives; sizes of places stay."""

    outputs: int


class Plain(Block):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.outputs = channels
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x))


class Normed(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.norm = self.make(channels)

    def make(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.norm(self.conv(x)))


class GroupNormed(Normed):
    def make(self, channels: int) -> nn.Module:
        return nn.GroupNorm(channels // 2, channels)


class OneGroupNormed(Normed):
    def make(self, channels: int) -> nn.Module:
        return nn.GroupNorm(1, channels)


class InstanceNormed(Normed):
    def make(self, channels: int) -> nn.Module:
        return nn.InstanceNorm2d(channels, affine=True)


class Sloped(Normed):
    def make(self, channels: int) -> nn.Module:
        return nn.PReLU(channels)


class LayerNormed(Normed):
    def make(self, channels: int) -> nn.Module:
        return nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.norm(self.conv(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class RmsNormed(LayerNormed):
    def make(self, channels: int) -> nn.Module:
        return nn.RMSNorm(channels)


class HandNormed(Normed):
    """A layer normalisation over channels as people write it, with what a mean leaves of zeros squared."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = x - x.mean(1, keepdim=True)
        x = x / torch.sqrt(x.pow(2).mean(1, keepdim=True) + self.norm.eps)
        return F.silu(x * self.norm.weight[:, None, None] + self.norm.bias[:, None, None])


class MomentNormed(Normed):
    """The same by both moments at once, over channels and positions."""

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(self.conv(x), (1, 2, 3), keepdim=True, correction=0)
        x = (self.conv(x) - mean) * torch.rsqrt(variance + self.norm.eps)
        return F.silu(x * self.norm.weight[:, None, None] + self.norm.bias[:, None, None])


class Depthwise(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)


class Grouped(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=2)


class Multiplied(Plain):
    """A depthwise filter that makes two channels of every one."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.outputs = 2 * channels
        self.many = nn.Conv2d(channels, 2 * channels, 3, padding=1, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.many(self.conv(x)))


class Dilated(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=2, dilation=2)


class Transposed(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.up = nn.ConvTranspose2d(channels, channels, 2, stride=2, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(F.relu(self.up(self.conv(x))), 2)


class Residual(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv(x))


class Twice(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.relu(self.conv(x)))


class Shared(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.other = nn.Conv2d(channels, channels, 3, padding=1)
        self.other.weight = self.conv.weight

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x)) - F.relu(self.other(x))


class Concat(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.outputs = 2 * channels

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, F.relu(self.conv(x))], 1)


class Chunk(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.narrow = nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.conv(x).chunk(2, 1)
        return self.narrow(left * torch.sigmoid(right))


class Slice(Chunk):
    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.narrow(x[:, : x.shape[1] // 2]) + self.narrow(x[:, x.shape[1] // 2 :])


class Split(Plain):
    """Unequal pieces, one of which goes round a layer."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.sizes = [channels // 2 - 1, channels // 2 + 1]
        self.side = nn.Conv2d(self.sizes[1], self.sizes[1], 1)

    def forward(self, x: Tensor) -> Tensor:
        left, right = torch.split(self.conv(x), self.sizes, dim=1)
        return torch.cat([F.relu(self.side(right)), left], 1)


class Rows(Plain):
    """Positions and channels flattened together into a layer, and back."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.rows = nn.Linear(4 * channels, 4 * channels)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y = self.conv(x).permute(0, 2, 3, 1).reshape(n, h, w * c)
        return F.relu(self.rows(y)).view(n, h, w, c).permute(0, 3, 1, 2)


class Shuffle(Plain):
    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return self.conv(x).view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Gate(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.gate = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(self.gate(x.mean((2, 3))))[:, :, None, None]


class SpaceGate(Plain):
    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(x.mean(1, keepdim=True) + x.amax(1, keepdim=True))


class Pool(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(self.conv(x), 3, 1, 1) + F.avg_pool2d(x, 3, 1, 1)


class Glu(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.conv = nn.Conv2d(channels, 2 * channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.glu(self.conv(x), 1)


class Pixels(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.deep = nn.Conv2d(4 * channels, 4 * channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(F.relu(self.deep(F.pixel_unshuffle(self.conv(x), 2))), 2)


class Padded(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.narrow = nn.Conv2d(channels, channels // 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + F.pad(self.narrow(x), (0, 0, 0, 0, 0, x.shape[1] // 2))


class Direct(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.scale = nn.Parameter(torch.zeros(channels, 1, 1))
        self.mix = nn.Parameter(torch.zeros(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nchw,cd->ndhw", self.conv(x) * self.scale, self.mix)


class Unfolded(Plain):
    def forward(self, x: Tensor) -> Tensor:
        patches = F.unfold(self.conv(x), 2, stride=2)
        return F.fold(torch.tanh(patches), x.shape[2:], 2, stride=2)


class Lines(Plain):
    """Convolutions in one and in three dimensions."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.line = nn.Conv1d(channels, channels, 3, padding=1)
        self.volume = nn.Conv3d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        line = F.relu(self.line(self.conv(x).flatten(2))).view(x.shape[0], -1, *x.shape[2:])
        return self.volume(line.unsqueeze(2)).squeeze(2)


class Attention(Plain):
    """One projection for queries, keys and values; two heads."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        n, _c, h, w = x.shape
        y = x.flatten(2).transpose(1, 2)
        q, k, v = self.qkv(y).reshape(n, h * w, 3, 2, -1).permute(2, 0, 3, 1, 4)
        y = ((q @ k.transpose(-2, -1) * 0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
        return self.conv(x + self.out(y).transpose(1, 2).reshape(n, -1, h, w))


class SeparateAttention(Plain):
    """Three projections, fewer key heads than query heads."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.width = channels // 2
        self.q, self.out = nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)
        self.k, self.v = nn.Linear(channels, channels), nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = x.flatten(2).transpose(1, 2)
        q, k, v = (layer(y).unflatten(-1, (-1, self.width)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        return x + self.out(y.transpose(1, 2).flatten(2)).transpose(1, 2).unflatten(-1, x.shape[2:])


class TorchAttention(Plain):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.attention = nn.MultiheadAttention(channels, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).flatten(2).transpose(1, 2)
        return self.attention(y, y, y, need_weights=False)[0].transpose(1, 2).unflatten(-1, x.shape[2:])


class Windows(Attention):
    """The same inside windows of two by two places, shifted by one."""

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y = torch.roll(x, (1, 1), (2, 3)).unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 4, 5, 1)
        q, k, v = self.qkv(y.reshape(-1, 4, c)).reshape(-1, 4, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        y = ((q @ k.transpose(-2, -1)).softmax(-1) @ v).transpose(1, 2).reshape(-1, 4, c)
        y = self.out(y).view(n, h // 2, w // 2, 2, 2, -1).permute(0, 5, 1, 3, 2, 4).reshape(n, -1, h, w)
        return F.relu(self.conv(y))


KINDS: dict[str, type[Plain]] = {
    kind.__name__: kind
    for kind in (
        *(Plain, Normed, GroupNormed, OneGroupNormed, InstanceNormed, Sloped, LayerNormed, RmsNormed),
        *(HandNormed, MomentNormed, Depthwise, Grouped, Multiplied, Dilated, Transposed, Residual, Twice, Shared),
        *(Concat, Chunk, Slice, Split, Shuffle, Rows),
        *(Gate, SpaceGate, Pool, Glu, Pixels, Padded, Direct, Unfolded, Lines),
        *(Attention, SeparateAttention, TorchAttention, Windows),
    )
}
"""Every structure by its name."""
