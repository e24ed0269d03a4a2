"""Networks written the way people write them: functions, literal sizes, gates, windows, several kinds of attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class RmsAttention(nn.Module):
    """A language model's block: RMS norms, rotated pairs, key heads repeated for their queries, a gated MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.RMSNorm(24), nn.RMSNorm(24)
        self.q, self.k, self.v = nn.Linear(24, 32, bias=False), nn.Linear(24, 16), nn.Linear(24, 16)
        self.out = nn.Linear(32, 24, bias=False)
        self.gate, self.up, self.down = nn.Linear(24, 40), nn.Linear(24, 40), nn.Linear(40, 24)
        self.embed, self.head = nn.Linear(6, 24), nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        n, t, _ = x.shape
        y = self.one(x)
        q = self.q(y).view(n, t, 4, 8).transpose(1, 2)
        k, v = (part(y).view(n, t, 2, 8).transpose(1, 2) for part in (self.k, self.v))
        k, v = (part[:, :, None].expand(n, 2, 2, t, 8).reshape(n, 4, t, 8) for part in (k, v))
        weights = torch.softmax(torch.matmul(q, k.transpose(2, 3)) / 8**0.5, dim=-1)
        x = x + self.out((weights @ v).transpose(1, 2).contiguous().view(n, t, -1))
        y = self.two(x)
        return self.head((x + self.down(F.silu(self.gate(y)) * self.up(y))).mean(1))


class Windows(nn.Module):
    """Attention in shifted windows with a table of relative positions per head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm = nn.Conv2d(3, 16, 1), nn.LayerNorm(16)
        self.qkv, self.project = nn.Linear(16, 48), nn.Linear(16, 16)
        self.table = nn.Parameter(torch.zeros(9, 4))
        places = torch.cartesian_prod(torch.arange(2), torch.arange(2))
        apart = places[:, None] - places[None] + 1
        self.register_buffer("index", (apart[..., 0] * 3 + apart[..., 1]).view(-1))
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).permute(0, 2, 3, 1)
        n, h, w, c = x.shape
        y = torch.roll(self.norm(x), shifts=(-1, -1), dims=(1, 2))
        y = y.view(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
        q, k, v = self.qkv(y).reshape(y.shape[0], 4, 3, 4, c // 4).permute(2, 0, 3, 1, 4)
        bias = self.table[self.index].view(4, 4, -1).permute(2, 0, 1)
        weights = (q @ k.transpose(-2, -1) * 0.5 + bias.unsqueeze(0)).softmax(-1)
        y = self.project((weights @ v).transpose(1, 2).reshape(-1, 4, c))
        y = y.view(n, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        return self.head((x + torch.roll(y, shifts=(1, 1), dims=(1, 2))).mean((1, 2)))


class EinsumAttention(nn.Module):
    """Heads as an axis of the weights, everything by einsum."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Parameter(torch.zeros(12, 4, 6)) for _ in range(3))
        self.out = nn.Parameter(torch.zeros(4, 6, 12))
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (torch.einsum("btc,chd->bhtd", x, part) for part in (self.q, self.k, self.v))
        weights = torch.softmax(torch.einsum("bhtd,bhsd->bhts", q, k), -1)
        return self.head(x + torch.einsum("bhts,bhsd,hdc->btc", weights, v, self.out))


class PlainAttention(nn.Module):
    """scaled_dot_product_attention on separate projections with the scale written out; learnt queries."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.zeros(3, 16))
        self.q, self.k, self.v = nn.Linear(16, 16), nn.Linear(10, 16), nn.Linear(10, 24)
        self.out = nn.Linear(24, 7)

    def forward(self, x: Tensor) -> Tensor:
        q = self.q(self.queries).unflatten(-1, (2, 8)).transpose(0, 1).expand(x.shape[0], -1, -1, -1)
        k = self.k(x).unflatten(-1, (2, 8)).transpose(1, 2)
        v = self.v(x).unflatten(-1, (2, 12)).transpose(1, 2)
        return self.out(F.scaled_dot_product_attention(q, k, v, scale=0.3).transpose(1, 2).flatten(2))


class ChannelGates(nn.Module):
    """A gate from the mean and the largest over channels, multiplied in."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.space = nn.Conv2d(2, 1, 3, padding=1)
        self.wide, self.out = nn.Conv2d(16, 24, 1), nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        seen = torch.cat([x.mean(1, keepdim=True), x.max(dim=1, keepdim=True).values], 1)
        x = x * torch.sigmoid(self.space(seen)).expand_as(x)
        return self.out(F.gelu(self.wide(x)).mean((2, 3)))


class PaddedShortcut(nn.Module):
    """A shortcut without weights: every second place, and zero channels around it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.down, self.fc = nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        x = F.relu(self.down(x) + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4)))
        return self.fc(x.mean((2, 3)))


class Standardised(nn.Module):
    """Weights standardised over their inputs, a weight-normalised layer, one normalisation over all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 12, 1), nn.GroupNorm(1, 12)
        self.weight = nn.Parameter(torch.zeros(10, 12, 3, 3))
        self.direction, self.fc = weight_norm(nn.Linear(10, 14)), nn.Linear(14, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        weight = F.batch_norm(self.weight.reshape(1, 10, -1), None, None, training=True).reshape_as(self.weight)
        x = F.relu(F.conv2d(x, weight, padding=1)).amax((2, 3))
        return self.fc(torch.tanh(self.direction(x)))


class Unfolded(nn.Module):
    """Patches taken out, mixed, and put back; pixels folded into channels and out again."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.mix = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1)
        self.deep, self.out = nn.Conv2d(32, 12, 1), nn.Conv2d(12, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        patches = F.unfold(x, 2, stride=2).view(x.shape[0], -1, 4, 16).softmax(-1).flatten(1, 2)
        x = F.relu(self.mix(F.fold(patches, (8, 8), 2, stride=2)))
        return self.out(F.relu(self.deep(F.pixel_unshuffle(x, 2)))).amax((2, 3))


class Choices(nn.Module):
    """where, stack and unbind, a resized branch, chunks that go their own ways, a repeated vector."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, padding=1)
        self.left, self.right = nn.Conv2d(8, 12, 1), nn.Conv2d(8, 12, 3, padding=1)
        self.tilt, self.fc = nn.Parameter(torch.zeros(12)), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        one, two, three = torch.chunk(self.stem(x), 3, dim=1)
        one = torch.where(one > two, one, two.clamp(min=0))
        small = F.interpolate(F.avg_pool2d(one, 2), scale_factor=2, mode="bilinear")
        pair = torch.stack([self.left(small), self.right(F.leaky_relu(three))], dim=0)
        first, second = pair.unbind(0)
        y = torch.cumsum(torch.maximum(first, second), dim=-1)
        y = y * self.tilt.sigmoid().view(1, -1, 1, 1).repeat(x.shape[0], 1, 1, 1)
        return self.fc(y.flatten(2).mean(-1))


class Mixer(nn.Module):
    """Tokens mixed by layers over positions, features by layers over features."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 4, 4)
        self.norms = nn.ModuleList([nn.LayerNorm(16), nn.LayerNorm(16)])
        self.across, self.back = nn.Linear(4, 12), nn.Linear(12, 4)
        self.wide, self.narrow, self.fc = nn.Linear(16, 20), nn.Linear(20, 16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = x + self.back(F.gelu(self.across(self.norms[0](x).mT))).mT
        x = x + self.narrow(F.gelu(self.wide(self.norms[1](x))))
        return self.fc(x.mean(1))


class Sequences(nn.Module):
    """A recurrent layer, whose channels stay, between layers whose channels go; channels in an order of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(3, 16, 3, padding=1), nn.Conv1d(16, 8, 1)
        self.lstm, self.wide, self.fc = nn.LSTM(8, 6, batch_first=True), nn.Linear(6, 12), nn.Linear(12, 4)
        self.register_buffer("order", torch.randperm(16, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))[:, self.order]
        x, _ = self.lstm(self.second(x).transpose(1, 2))
        return self.fc(F.relu(self.wide(x))).mean(1)


class RolledChannels(nn.Module):
    """Channels shifted by a number written into the code: they stay, those before and behind them go."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 12, 1), nn.Conv2d(12, 12, 1), nn.Conv2d(12, 12, 3, padding=1)
        self.fc = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.roll(self.b(F.relu(self.a(x))), 3, dims=1)
        return self.fc(F.relu(self.c(x)).mean((2, 3)))


class Compared(nn.Module):
    """Two views of the same channels in a bilinear layer and in a cosine."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.pair, self.fc = nn.Conv2d(3, 8, 3), nn.Bilinear(8, 8, 6), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        one, other = x.mean((2, 3)), x.amax((2, 3))
        return self.fc(F.relu(self.pair(one, other))) * F.cosine_similarity(one, other)[:, None]
