"""Export: dense and compact weights to ONNX, and the golden inputs every later border is checked with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import nn

from edgeprune.data import load_splits
from edgeprune.exporting import export_onnx
from edgeprune.golden_inputs import is_large
from edgeprune.onnx_reference import made_records, run_onnx
from edgeprune.parity import Parity, compare
from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.recipe import Recipe
from edgeprune.stages.compact import load_compact
from edgeprune.stages.golden import GOLDEN, MADE, TOLERANCE
from edgeprune.stages.network import build_network, example_input, load_weights
from edgeprune.stages.train import WEIGHTS
from edgeprune.stages.variant import Variant


def export(recipe: Recipe, trained: Path, compacted: Path, out: Path, progress: Progress) -> None:
    """Write ``dense.onnx``, ``pruned.onnx``, ``golden.safetensors`` and ``parity.json`` to ``out``.

    The golden inputs are the first samples of the validation split; each network's golden outputs are ONNX
    Runtime's, after torch was found to agree with them.
    """
    dense = build_network(recipe.model, recipe.seed)
    load_weights(dense, trained / WEIGHTS)
    networks: dict[Variant, nn.Module] = {"dense": dense, "pruned": load_compact(recipe, compacted)}
    inputs = _golden_inputs(recipe, progress)
    golden, parity = {"inputs": inputs}, []
    progress.stage("export", len(networks))
    for variant, network in networks.items():
        path = out / f"{variant}.onnx"
        export_onnx(network, example_input(recipe.model), path, opset=recipe.export.opset)
        golden[variant] = run_onnx(path, inputs)
        if is_large(inputs[0].size, golden[variant][0].size):
            golden[MADE], golden[f"{MADE}.{variant}"] = made_records(path)
        parity.append(_check(network, inputs, golden[variant], variant))
        progress.advance(f"{variant}.onnx, {path.stat().st_size:,} bytes, {parity[-1].relative_error:.1e} off torch")
    save_file(golden, out / GOLDEN)
    write_json(out / "parity.json", [entry.as_dict() for entry in parity])


def _golden_inputs(recipe: Recipe, progress: Progress) -> NDArray[np.float32]:
    splits = load_splits(recipe.data, recipe.seed, tuple(recipe.model.input_shape), progress)
    count = min(recipe.measure.golden, recipe.data.validation)
    return np.stack([np.asarray(splits.validation[index][0], dtype=np.float32) for index in range(count)])


def _check(network: nn.Module, inputs: NDArray[np.float32], outputs: NDArray[np.float32], variant: Variant) -> Parity:
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(inputs)).numpy()
    return compare(expected, outputs, border=f"{variant}: torch | ONNX Runtime", tolerance=TOLERANCE)
