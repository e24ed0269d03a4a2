"""Build for TVM's own runtime: a lowered network and its tuning records to a shared library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeprune.progress import Progress
from edgeprune.stages.build import scheduled
from edgeprune.stages.golden import tolerance_on
from edgeprune.target import Target
from edgeprune.vm_export import VmManifest, export_vm


def build_vm(
    lowered_in: Path,
    tuned: Path | None,
    golden: tuple[NDArray[np.float32], NDArray[np.float32]],
    target: Target,
    model: str,
    out: Path,
    progress: Progress,
) -> VmManifest:
    """Write the library and its description to ``out``; without ``tuned`` every kernel gets its default schedule."""
    network = scheduled(lowered_in, tuned, target, progress)
    progress.stage("exporting for TVM's runtime", None)
    return export_vm(network, target, out, model=model, golden=golden, tolerance=tolerance_on(target))
