"""edgeprune: from a trained PyTorch network and a named board to a small dense binary for that board."""

__version__ = "0.1.0"
