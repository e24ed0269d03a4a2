"""One network, one side: python -m pruning_bench.worker ours|peer ZOO NAME AMOUNT FOLDER."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path

import torch

from pruning_bench.child import writer
from pruning_bench.zoos import ZOOS


def main(side: str, zoo: str, name: str, amount: float, work: Path) -> None:
    """Write the row to ``FOLDER/SIDE.json`` as it grows."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    report = writer(work / f"{side}.json")
    if side == "ours":
        from pruning_bench.ours import run
    else:
        from pruning_bench.peer import run
    run(ZOOS[zoo], name, amount, work, report)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), Path(sys.argv[5]))
