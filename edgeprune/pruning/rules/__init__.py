"""What each ATen operator does to labels. A rule knows operators, never a network."""

from edgeprune.pruning.rules import (
    attention,
    convolution,
    indexing,
    joining,
    linear,
    moving,
    normalisation,
    pointwise,
    pooling,
    reducing,
    reshaping,
)

__all__ = [
    "attention",
    "convolution",
    "indexing",
    "joining",
    "linear",
    "moving",
    "normalisation",
    "pointwise",
    "pooling",
    "reducing",
    "reshaping",
]
