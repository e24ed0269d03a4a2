"""Loading a compact network in a new process: the original class, a plan and a state dict, no pickle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgeprune.parity import compare
from edgeprune.pruning import load_compact
from pruning_bench import zoos


def run(zoo: zoos.Zoo, name: str, _amount: float, folder: Path, report: Callable[[dict[str, Any]], None]) -> None:
    """Report a failure unless the network, made afresh with other values, answers as the saved one did."""
    try:
        network = load_compact(zoos.build(zoo, name, seed=1, settled=False), folder).eval()
        with torch.no_grad():
            found = network(*zoos.inputs(zoo, name, 1, 4)).numpy()
        compare(np.load(folder / "expected.npy"), found, border="saved | loaded", tolerance=1e-6)
    except Exception as error:  # the row says what it was
        lines = str(error).strip().splitlines() or [""]
        report({"failed": {"stage": "reload", "message": f"{type(error).__name__}: {lines[0][:400]}"}})
    else:
        report({"stage": "reload"})
