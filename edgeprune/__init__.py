"""edgeprune: from a trained PyTorch network and a named board to a small dense binary for that board."""

import os

__version__ = "0.1.0"

# ONNX Runtime (1.32) reports its use to its makers over the network, and keeps files for that in the user's cache,
# unless this is set before it is loaded. What is set already stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
