"""From an ONNX file to a smaller one that ONNX Runtime finds to compute the same."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgeprune.errors import StageFailure, UserError
from edgeprune.onnx_pruning.dead import find_dead
from edgeprune.onnx_pruning.graph import Graph, load_graph, to_model
from edgeprune.onnx_pruning.labels import Indices
from edgeprune.onnx_pruning.removal import Kept
from edgeprune.onnx_pruning.remove import remove
from edgeprune.onnx_pruning.report import LayerSize, layers, macs, parameters
from edgeprune.onnx_pruning.runtime import run_model, seeded_inputs
from edgeprune.onnx_pruning.trace import trace
from edgeprune.onnx_pruning.tracer import Choices, Traced
from edgeprune.parity import Parity, compare
from edgeprune.progress import Progress, SilentProgress

_TOLERANCES = {np.dtype(np.float16): 1e-2}
_TOLERANCE = 1e-5
_CHECKS = 4
_CHOICES = [Choices(groups, factor) for groups, factor in product((False, True), range(3))]


@dataclass(frozen=True)
class OnnxPlan:
    """What was removed from an ONNX graph.

    ``kept`` has the original places that stay, by constant and axis, where some went. Parameters are the
    floating-point numbers stored, multiply-accumulates are per sample, channels those of all layers together.
    """

    layers: tuple[LayerSize, ...]
    kept: dict[str, dict[int, tuple[int, ...]]]
    parameters: tuple[int, int]
    macs: tuple[int, int]
    channels: tuple[int, int]
    notes: tuple[str, ...]
    parity: tuple[Parity, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-able values."""
        pairs = {name: getattr(self, name) for name in ("parameters", "macs", "channels")}
        return {
            "layers": [vars(layer) for layer in self.layers],
            "kept": {
                name: {str(axis): list(places) for axis, places in axes.items()} for name, axes in self.kept.items()
            },
            **{name: {"before": before, "after": after} for name, (before, after) in pairs.items()},
            "notes": list(self.notes),
            "parity": [found.as_dict() for found in self.parity],
        }


def compact_onnx(source: Path, out: Path, *, progress: Progress | None = None) -> OnnxPlan:
    """Write ``source`` without what is dead to ``out``, and return what was removed.

    ONNX Runtime compares both on seeded inputs (to 1e-5, relative to the largest output; half precision to 1e-2)
    before ``out`` appears under its name.

    Raises:
        UserError: ``source`` is missing, corrupt or not static; nothing in it is dead; ``out`` cannot be written.
        ParityError: the outputs differ.
        StageFailure: ONNX Runtime refuses the network.
    """
    progress = progress or SilentProgress()
    if out.is_dir():
        raise UserError(f"{out}: is a directory; --out names a file")
    if out.exists() and source.exists() and out.samefile(source):
        raise UserError(f"{out}: is the network itself; choose another --out")
    progress.stage("read", None)
    graph = load_graph(source)
    smaller, plan = remove_dead(graph, progress=progress)
    if not plan.kept:
        detail = f" ({'; '.join(plan.notes)})" if plan.notes else ""
        raise UserError(f"{source}: nothing in it is dead, so there is nothing to remove{detail}; prune it first")
    progress.stage("compare in ONNX Runtime", _CHECKS)
    model = to_model(smaller)
    parity = check_equal(onnx.load(str(source)), model, str(source))
    _write(model, out)
    return OnnxPlan(**{**vars(plan), "parity": parity})


def remove_dead(graph: Graph, *, progress: Progress | None = None) -> tuple[Graph, OnnxPlan]:
    """Return ``graph`` without what is dead, to a fixed point; the same one if nothing is.

    It ends, because a round counts only if the graph stores fewer numbers after it: cutting what an earlier round put
    back for a node that counts it, to put it back again, does not.

    Raises:
        StageFailure: ONNX Runtime refuses the network.
    """
    progress = progress or SilentProgress()
    progress.stage("remove what is dead", None)
    current = graph
    kept: Kept = {}
    blocked: dict[str, int] = {}
    traced: Traced | None = None
    usual: Traced | None = None
    pending = list(_CHOICES)
    while pending:
        choices = pending.pop(0)
        if traced is not None and not _matters(choices, traced):
            continue
        traced = trace(current, choices)
        findings = find_dead(traced)
        blocked = findings.blocked
        smaller, removed = remove(traced, findings)
        if parameters(smaller) < parameters(current):
            kept = _composed(kept, {name: axes for name, axes in removed.items() if name in graph.constants})
            current = smaller
            # What went may have killed more under the other choices too.
            pending = [choices, *(other for other in _CHOICES if other != choices)]
            progress.advance(f"{sum(len(axes) for axes in removed.values())} axes shorter")
        elif choices == _CHOICES[0]:
            usual = traced  # the last look at what is left in the usual way, whose reasons are those to tell
    assert usual is not None
    notes = [f"{count} constant channels stay: {reason}" for reason, count in blocked.items()]
    return current, _plan(graph, current, usual, kept, (*notes, *usual.without_rule))


def _matters(choices: Choices, traced: Traced) -> bool:
    """Tell whether choices differ from the usual ones only where the network has something to choose."""
    return all(getattr(choices, name) == default or name in traced.chosen for name, default in vars(Choices()).items())


def check_equal(expected: onnx.ModelProto, actual: onnx.ModelProto, border: str) -> tuple[Parity, ...]:
    """Compare all outputs of two models on seeded inputs and return the worst comparison per output.

    Raises:
        ParityError: an output differs.
    """
    worst: dict[str, Parity] = {}
    stored = {tensor.name for tensor in expected.graph.initializer}
    inputs = [value for value in expected.graph.input if value.name not in stored]
    for seed in range(_CHECKS):
        feeds = seeded_inputs(inputs, seed)
        left, right = run_model(expected, feeds, border), run_model(actual, feeds, border)
        for name, value in left.items():
            tolerance = _TOLERANCES.get(value.dtype, _TOLERANCE)
            found = compare(value, right[name], border=f"{border} | compact: {name}", tolerance=tolerance)
            if name not in worst or found.relative_error > worst[name].relative_error:
                worst[name] = found
    return tuple(worst.values())


def _composed(first: Kept, then: Kept) -> Kept:
    """Return which original places stay after both removals."""
    both = {name: dict(axes) for name, axes in first.items()}
    for name, axes in then.items():
        own = both.setdefault(name, {})
        for axis, places in axes.items():
            own[axis] = own[axis][places] if axis in own else places
    return both


def _plan(before: Graph, after: Graph, traced: Traced, kept: Kept, notes: tuple[str, ...]) -> OnnxPlan:
    rows = layers(before, after, traced)
    return OnnxPlan(
        rows,
        {name: {axis: _tuple(places) for axis, places in axes.items()} for name, axes in kept.items()},
        (parameters(before), parameters(after)),
        (macs(before), macs(after)),
        (sum(row.before for row in rows), sum(row.after for row in rows)),
        notes,
    )


def _tuple(places: Indices) -> tuple[int, ...]:
    return tuple(places.tolist())


def _write(model: onnx.ModelProto, out: Path) -> None:
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{out.name}-", dir=out.absolute().parent)
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}; choose another --out") from None
    partial = Path(name)
    try:
        os.close(handle)
        onnx.save_model(model, name)
        partial.chmod(0o644)
        partial.replace(out)
    except ValueError as error:
        raise StageFailure(f"{out}: cannot be written as one file: {error}") from error
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
