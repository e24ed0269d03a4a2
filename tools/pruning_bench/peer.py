"""The same network and request through Torch-Pruning, with the help that its own benchmark script gives it.

Handled means: parameters became fewer, the network runs and returns the same shape, and a backward pass gives finite
gradients. How far its output is from that of its own masked original is reported besides; the kept rows and columns
are recovered from the values of the pruned tensors, which are all different.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pruning_bench import zoos
from pruning_bench.memory import Peak

_COLUMNS = 4
"""How many columns of a pruned matrix are looked for in the original."""


def run(zoo: zoos.Zoo, name: str, amount: float, work: Path, report: Callable[[dict[str, Any]], None]) -> None:
    """Prune the network; the row goes to ``report`` after every step."""
    row: dict[str, Any] = {"handled": False}
    step = "build"
    try:
        model = zoos.build(zoo, name)
        original = copy.deepcopy(model)
        with torch.no_grad():
            classes = model(*zoos.inputs(zoo, name, 1)).shape[1]
        row["parameters"] = [_parameters(model), None]
        step = "prune"
        report({**row, "stage": step})
        begun = time.process_time()
        with Peak() as peak:
            _prune(model, zoos.inputs(zoo, name, 1)[0], amount, classes)
        row["seconds"] = round(time.process_time() - begun, 3)
        size = sum(p.numel() * p.element_size() for p in original.parameters())
        row["memory"] = round((size + peak.extra) / size, 3)
        row["parameters"][1] = _parameters(model)
        row["no_op"] = row["parameters"][1] >= row["parameters"][0]
        step = "forward"
        with torch.no_grad():
            batch = zoos.inputs(zoo, name, 2, 3)
            right, before = model(*batch), original(*batch)
        if right.shape != before.shape:
            raise RuntimeError(f"the output has shape {tuple(right.shape)}, not {tuple(before.shape)}")
        step = "backward"
        model.train()
        model(*batch).square().mean().backward()
        model.eval()
        if not all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None):
            raise RuntimeError("a gradient is not finite")
        row["handled"] = not row["no_op"]
        step = "compare"
        row.update(_error(original, zoos.build(zoo, name), model, batch, right))
    except Exception as error:  # whatever it raises is the row's result
        lines = str(error).strip().splitlines() or [""]
        row["failed"] = {"stage": step, "message": f"{type(error).__name__}: {lines[0][:300]}"}
    row["stage"] = step
    report(row)


def _parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def _prune(model: nn.Module, example: Tensor, amount: float, classes: int) -> None:
    """Follow its benchmark: classifier and packed attention left alone, heads and layer scales explained to it."""
    import torch_pruning

    ignored: list[nn.Module] = []
    scales: list[tuple[nn.Parameter, int]] = []
    heads = 0
    for module in model.modules():
        packed = isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear)
        if packed or getattr(module, "out_features", getattr(module, "out_channels", None)) == classes:
            ignored.append(module)
        if isinstance(module, nn.MultiheadAttention):
            heads = module.num_heads
        if isinstance(getattr(module, "layer_scale", None), nn.Parameter):
            scales.append((module.layer_scale, 0))
    pruner = torch_pruning.pruner.MagnitudePruner(
        model,
        example_inputs=example,
        importance=torch_pruning.importance.MagnitudeImportance(p=1),
        pruning_ratio=amount,
        ignored_layers=ignored,
        round_to=heads or None,
        unwrapped_parameters=scales or None,
    )
    pruner.step()
    if heads and hasattr(model, "hidden_dim") and hasattr(model, "conv_proj"):
        model.hidden_dim = model.conv_proj.out_channels


def _error(original: nn.Module, masked: nn.Module, pruned: nn.Module, batch: Any, right: Tensor) -> dict[str, Any]:
    """Return the largest relative difference to the original with everything at zero that the peer removed."""
    after = dict(pruned.named_parameters())
    with torch.no_grad():
        for name, tensor in masked.named_parameters():
            if name not in after:
                return {"error": None, "error_note": f"{name} is gone"}
            mask = kept_entries(tensor, after[name])
            if mask is None:
                return {"error": None, "error_note": f"{name}: what was kept cannot be told from the values"}
            tensor.mul_(mask)
        left = masked(*batch)
    scale = float(left.abs().max())
    return {"error": float((left - right).abs().max()) / scale if scale else None}


def kept_entries(before: Tensor, after: Tensor) -> Tensor | None:
    """Return which entries of ``before`` are in ``after``, a selection of indices along each axis, or ``None``."""
    if before.shape == after.shape:
        return torch.ones_like(before)
    if before.ndim != after.ndim or after.numel() == 0:
        return None
    found = before
    mask = torch.ones_like(before)
    for axis in range(before.ndim):
        if before.shape[axis] == after.shape[axis]:
            continue
        indices = _kept_indices(found, after, axis)
        if indices is None:
            return None
        shape = [1] * before.ndim
        shape[axis] = -1
        line = torch.zeros(before.shape[axis])
        line[indices] = 1
        mask *= line.reshape(shape)
    selected = before[mask.bool()]
    return mask if selected.numel() == after.numel() and torch.equal(selected, after.flatten()) else None


def _kept_indices(before: Tensor, after: Tensor, axis: int) -> Tensor | None:
    """Find every slice of ``after`` along ``axis`` in ``before`` by its values in a few columns of the rest."""
    wide = before.movedim(axis, 0).reshape(before.shape[axis], -1)
    narrow = after.movedim(axis, 0).reshape(after.shape[axis], -1)
    wanted = range(0, narrow.shape[1], max(narrow.shape[1] // _COLUMNS, 1))
    pairs = [(own, column) for own in wanted if (column := _column(wide, narrow[:, own])) is not None]
    if not pairs:
        return None
    own, columns = ([pair[side] for pair in pairs] for side in (0, 1))
    rows = {row.tobytes(): place for place, row in enumerate(wide[:, columns].numpy())}
    found = [rows.get(row.tobytes()) for row in narrow[:, own].numpy()]
    return None if None in found else torch.tensor(found)


def _column(matrix: Tensor, values: Tensor) -> int | None:
    """Return the only column that holds all of some of ``values``; a value may be in others by chance."""
    shared: set[int] | None = None
    for place in {0, len(values) // 3, len(values) // 2, len(values) - 1}:
        columns = set((matrix == values[place]).nonzero()[:, 1].tolist())
        shared = columns if shared is None else shared & columns
    return shared.pop() if shared is not None and len(shared) == 1 else None
