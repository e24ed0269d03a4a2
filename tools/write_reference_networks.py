"""The reference networks as ONNX files, so that every command of the documentation can be repeated.

    python tools/write_reference_networks.py networks/                  # all of them
    python tools/write_reference_networks.py networks/ resnet20 lenet5

Beside those of `reference_networks.py` there is `lenet5`, the recipes' own before pruning. Weights are seeded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from reference_networks import REFERENCES, Reference, build

from edgeprune.exporting import export_onnx
from edgeprune.models import lenet5

NETWORKS = {each.name: each for each in (Reference("lenet5", lenet5, (1, 28, 28)), *REFERENCES)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write ``NAME.onnx`` for every name asked for; each replaces an older one only when it is whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="DIRECTORY")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NETWORKS)} [all]")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in NETWORKS]
    if unknown:
        parser.error(f"{unknown[0]} is not known; choose among {', '.join(NETWORKS)}")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or NETWORKS:
        reference = NETWORKS[name]
        partial, path = given.out / f".{name}.onnx.partial", given.out / f"{name}.onnx"
        export_onnx(build(reference), torch.zeros(1, *reference.input_shape), partial)
        partial.replace(path)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
