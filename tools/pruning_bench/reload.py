"""Loading a compact network in a new process: the original class, a plan and a state dict, no pickle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgeprune.parity import compare
from edgeprune.pruning import compact_like
from edgeprune.pruning.plan import Plan
from edgeprune.stages.network import load_weights
from pruning_bench import zoos


def run(zoo: zoos.Zoo, name: str, _amount: float, folder: Path, report: Callable[[dict[str, Any]], None]) -> None:
    """Report a failure unless the network, made afresh with other values, answers as the saved one did."""
    try:
        plan = Plan.from_json((folder / "plan.json").read_text(encoding="utf-8"))
        network = compact_like(zoos.build(zoo, name, seed=1, settled=False), plan)
        load_weights(network, folder / "compact.safetensors")
        network.eval()
        with torch.no_grad():
            found = network(*zoos.inputs(zoo, name, 1, 4)).numpy()
        compare(np.load(folder / "expected.npy"), found, border="saved | loaded", tolerance=1e-6)
    except Exception as error:  # the row says what it was
        lines = str(error).strip().splitlines() or [""]
        report({"failed": {"stage": "reload", "message": f"{type(error).__name__}: {lines[0][:400]}"}})
    else:
        report({"stage": "reload"})
