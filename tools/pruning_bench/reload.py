"""Loading a compact network in a new process: the original class, a plan and a state dict, no pickle.

python -m pruning_bench.reload ZOO NAME FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from edgeprune.parity import compare
from edgeprune.pruning import compact_like
from edgeprune.pruning.plan import Plan
from edgeprune.stages.network import load_weights
from pruning_bench import zoos


def main(zoo: str, name: str, folder: Path) -> None:
    """Exit with an error unless the loaded network answers as the saved one did."""
    plan = Plan.from_json((folder / "plan.json").read_text(encoding="utf-8"))
    network = compact_like(zoos.build(zoos.ZOOS[zoo], name, seed=1, settled=False), plan)
    load_weights(network, folder / "compact.safetensors")
    network.eval()
    with torch.no_grad():
        found = network(*zoos.inputs(zoos.ZOOS[zoo], name, 1, 4)).numpy()
    compare(np.load(folder / "expected.npy"), found, border="saved | loaded", tolerance=1e-6)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
