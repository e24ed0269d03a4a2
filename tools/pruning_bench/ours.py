"""One network through edgeprune, stage by stage."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgeprune.errors import StageFailure
from edgeprune.evaluation_mode import evaluation_mode
from edgeprune.exporting.torch_to_onnx import export_onnx
from edgeprune.onnx_reference import run_onnx
from edgeprune.parity import compare
from edgeprune.pruning import compact, make_plan, plan_masks, save_compact, trace_coupling
from edgeprune.pruning.plan import Plan
from edgeprune.recipe import Prune
from pruning_bench import zoos
from pruning_bench.memory import Peak

BATCH = 2
"""Samples of the exactness check; the networks are traced with one, so that a batch written in shows."""
TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-10}
ONNX_TOLERANCE = 1e-4


@dataclass
class Run:
    """What is known of a network so far; ``report`` is called after every stage."""

    zoo: zoos.Zoo
    name: str
    amount: float
    work: Path
    report: Callable[[dict[str, Any]], None]
    row: dict[str, Any] = field(default_factory=dict)
    model: nn.Module = field(default_factory=nn.Module)
    plan: Plan | None = None
    masked: nn.Module = field(default_factory=nn.Module)
    small: nn.Module = field(default_factory=nn.Module)
    coupling: Any = None

    def inputs(self, batch: int = 1, seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
        """Return a seeded batch."""
        return zoos.inputs(self.zoo, self.name, batch, seed, dtype)


def run(zoo: zoos.Zoo, name: str, amount: float, work: Path, report: Callable[[dict[str, Any]], None]) -> None:
    """Take a network as far as it goes; every stage reached, and the failure if any, goes to ``report``."""
    state = Run(zoo, name, amount, work, report)
    for stage in _STEPS:
        begun = time.process_time()
        try:
            _STEPS[stage](state)
        except Exception as error:  # whatever a network raises is its row's result
            lines = str(error).strip().splitlines() or [""]
            state.row["failed"] = {"stage": stage, "message": f"{type(error).__name__}: {lines[0][:400]}"}
            report(state.row)
            return
        state.row.setdefault("seconds", {})[stage] = round(time.process_time() - begun, 3)
        state.row["stage"] = stage
        report(state.row)


def warm_up() -> None:
    """Trace and export something small, so that no network pays for what these import at their first call."""
    model, example = zoos.build(zoos.ZOOS["built-in"], "plain"), zoos.inputs(zoos.ZOOS["built-in"], "plain", 1)
    make_plan(model, example, Prune(amount=0.5))
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(model, example[0], Path(folder) / "plain.onnx")


def _trace(run: Run) -> None:
    run.model = zoos.build(run.zoo, run.name)
    run.row["kind"] = type(run.model).__name__
    with Peak() as peak:
        run.coupling = trace_coupling(run.model, run.inputs())
    run.row["trace_memory"] = _times_model(run.model, peak.extra)


def _plan(run: Run) -> None:
    settings = Prune(amount=run.amount)
    with Peak() as peak:
        run.plan = make_plan(run.model, run.inputs(), settings, coupling=run.coupling)
    run.row["plan_memory"] = _times_model(run.model, peak.extra)
    plan = run.plan
    for unit in ("parameters", "macs", "channels"):
        run.row[unit] = [getattr(plan, f"{unit}_before"), getattr(plan, f"{unit}_after")]
    run.row["no_op"] = plan.parameters_after >= plan.parameters_before
    run.row["pinned"] = _pinned(plan)
    run.row["notes"] = list(plan.notes)


def _times_model(model: nn.Module, extra: int) -> float:
    """Return the peak as a multiple of the network's own bytes, itself included."""
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    return round((size + extra) / size, 3)


def _pinned(plan: Plan) -> dict[str, int]:
    """Count the layers that lose nothing, by reason."""
    found: dict[str, int] = {}
    for layer in plan.layers:
        if layer.after == layer.before:
            reason = layer.pinned or "asked for too little"
            found[reason] = found.get(reason, 0) + 1
    return found


def _compact(run: Run) -> None:
    assert run.plan is not None
    run.masked, run.model = run.model, nn.Module()
    plan_masks(run.masked, run.plan).apply(run.masked)
    run.small = compact(run.masked, run.plan, coupling=run.coupling)
    run.coupling = None
    run.row["result"] = "graph" if isinstance(run.small, torch.fx.GraphModule) else "module"
    after = sum(p.numel() for p in run.small.parameters())
    if after != run.plan.parameters_after:
        raise StageFailure(f"the plan says {run.plan.parameters_after} parameters, the network has {after}")


def _exact(run: Run) -> None:
    with evaluation_mode(run.masked), torch.no_grad():
        one, other = (run.masked(*run.inputs(1, seed)) for seed in (1, 2))
    spread = float((one - other).abs().max() / one.abs().max())
    run.row["spread"] = spread
    if not spread > 1e-3:
        raise StageFailure(
            f"two inputs differ by {spread:.1e} only: an exact removal could not be told from a wrong one"
        )
    run.row["error"] = _error(run, torch.float32)


def _exact_double(run: Run) -> None:
    """Removal only selects entries, so both networks can be cast; the weights are the same numbers."""
    run.masked.double()
    small = run.small
    run.small = copy.deepcopy(small).double()
    try:
        run.row["error64"] = _error(run, torch.float64)
    finally:
        run.small = small
        run.masked = nn.Module()


def _error(run: Run, dtype: torch.dtype) -> float:
    with evaluation_mode(run.masked), evaluation_mode(run.small), torch.no_grad():
        batch = run.inputs(BATCH, 3, dtype)
        left, right = run.masked(*batch), run.small(*batch)
    return compare(
        left.double().numpy(), right.double().numpy(), border="masked | compact", tolerance=TOLERANCES[dtype]
    ).relative_error


def _backward(run: Run) -> None:
    """Train one step's worth in training mode: every parameter that had a gradient before must have one."""
    run.small.train()
    run.small(*run.inputs(BATCH)).square().mean().backward()
    gradients = [p.grad for p in run.small.parameters() if p.requires_grad and p.grad is not None]
    if not gradients or not all(bool(g.isfinite().all()) for g in gradients):
        raise StageFailure("no gradient, or one that is not finite")
    run.small.zero_grad(set_to_none=True)
    run.small.eval()


def _save(run: Run) -> None:
    """Write what another process needs: a state dict, the plan, and an answer to compare with."""
    assert run.plan is not None
    save_compact(run.small, run.plan, run.work)
    with torch.no_grad():
        np.save(run.work / "expected.npy", run.small(*run.inputs(1, 4)).numpy())


def _export(run: Run) -> None:
    export_onnx(run.small, run.inputs()[0], run.work / "compact.onnx")
    run.row["onnx_bytes"] = (run.work / "compact.onnx").stat().st_size


def _onnxruntime(run: Run) -> None:
    batch = run.inputs(1, 5)
    with torch.no_grad():
        expected = run.small(*batch).numpy()
    found = run_onnx(run.work / "compact.onnx", batch[0].numpy())
    run.row["error_onnx"] = compare(
        expected, found, border="compact | ONNX Runtime", tolerance=ONNX_TOLERANCE
    ).relative_error


_STEPS: dict[str, Callable[[Run], None]] = {
    "trace": _trace,
    "plan": _plan,
    "compact": _compact,
    "exact": _exact,
    "exact-double": _exact_double,
    "backward": _backward,
    "save": _save,
    "export": _export,
    "onnxruntime": _onnxruntime,
}
