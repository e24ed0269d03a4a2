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
    down, right = torch.randint(0, 2 * pixels + 1, (2, count), generator=generator)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(count), :, down, right]
