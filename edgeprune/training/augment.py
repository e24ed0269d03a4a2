"""Random changes of a batch that keep its labels true."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


def random_shift(images: Tensor, pixels: int, generator: Generator) -> Tensor:
    """Return ``images`` ``[N, C, H, W]``, each moved by its own whole number of up to ``pixels`` in both directions.

    What moves in from outside repeats the edge, which on a plain background is the background whatever the
    normalisation.
    """
    if pixels == 0:
        return images
    count, _, height, width = images.shape
    padded = F.pad(images, (pixels,) * 4, mode="replicate")
    down, right = torch.randint(0, 2 * pixels + 1, (2, count, 1), generator=generator)
    rows = (down + torch.arange(height))[:, :, None]
    columns = (right + torch.arange(width))[:, None, :]
    return padded.permute(0, 2, 3, 1)[torch.arange(count)[:, None, None], rows, columns].permute(0, 3, 1, 2)
