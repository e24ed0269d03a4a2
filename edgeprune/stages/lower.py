"""Lower: an ONNX file to fused Relax for a board's CPU."""

from __future__ import annotations

from pathlib import Path

from edgeprune.lowering import lower as lower_onnx
from edgeprune.progress import Progress
from edgeprune.target import Target


def lower(network: Path, target: Target, out: Path, progress: Progress) -> None:
    """Write the lowered module and its description to ``out``."""
    lowered = lower_onnx(network, target)
    lowered.save(out)
    progress.note(f"lowered {network.name} for {target.name}: {len(lowered.kernel_nodes)} kernels")
