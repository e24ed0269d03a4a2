"""The type of scores: one number per coupled set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
"""Larger is more important; ``nan`` is no judgement."""
