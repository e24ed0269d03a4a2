"""What a network pruned by some share would take of a board: built and run there, before it is retrained."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from edgeprune.artifact import Manifest
from edgeprune.data import Splits, load_splits
from edgeprune.emulation import Unavailable
from edgeprune.errors import StageFailure
from edgeprune.exporting import export_onnx
from edgeprune.measuring import measure
from edgeprune.measuring.measurement import Measurement, NotRun
from edgeprune.onnx_reference import made_records
from edgeprune.progress import Progress, SilentProgress
from edgeprune.pruning import Plan, compact
from edgeprune.pruning.nothing import NothingToRemove
from edgeprune.recipe import Budget, Limit, Recipe
from edgeprune.stages.build import build
from edgeprune.stages.lower import lower
from edgeprune.stages.network import build_network, earlier_plan, example_input, load_weights
from edgeprune.target import Target
from edgeprune.training.selection import Selection, select_at_once


@dataclass(frozen=True)
class Probe:
    """What the network takes when ``share`` of the recipe's pruning is done.

    ``latency_us`` is absent where nothing limits it; ``provenance`` says where it comes from: measured, or estimated.
    """

    share: float
    parameters: int
    size_kb: float
    memory_kb: float
    latency_us: float | None = None
    provenance: str | None = None

    def over(self, limits: Mapping[Limit, float]) -> dict[Limit, float]:
        """Return the figures that are over their limit."""
        found: dict[Limit, float] = {key: getattr(self, key) for key in limits}
        return {key: value for key, value in found.items() if value > limits[key]}

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return asdict(self)

    def __str__(self) -> str:
        latency = "" if self.latency_us is None else f"{self.latency_us:.4g} us ({self.provenance}), "
        return f"{latency}{self.size_kb:.4g} kB of weights and code, {self.memory_kb:.4g} kB of memory"


class Prober:
    """Builds and runs one network after the other; the same shapes are not built twice.

    Every kernel gets its default schedule: what tuning gains comes on top.
    """

    def __init__(
        self, recipe: Recipe, budget: Budget, weights: Path, target: Target, known: list[Probe], progress: Progress
    ) -> None:
        self._recipe, self._budget, self._target, self._progress = recipe, budget, target, progress
        self._network = build_network(recipe.model, recipe.seed)
        load_weights(self._network, weights)
        self._known = {probe.share: probe for probe in known}
        self._of_shape: dict[tuple[int, ...], Probe] = {}
        self._splits: Splits | None = None

    @property
    def probes(self) -> list[Probe]:
        """Everything found so far, the least pruned first."""
        return sorted(self._known.values(), key=lambda probe: probe.share)

    def probe(self, share: float) -> Probe:
        """Return what ``share`` of the recipe's pruning leaves, and remember it.

        Raises:
            StageFailure: the board cannot be reached, or gives no time where one is asked for.
            ParityError: the artifact computes wrong values there.
        """
        if share not in self._known:
            self._known[share] = self._find(share)
        return self._known[share]

    def _find(self, share: float) -> Probe:
        smaller, shape = self._pruned(share)
        known = self._of_shape.get(shape)
        if known is None:
            known = self._build_and_run(smaller, share)
            self._of_shape[shape] = known
        return Probe(**{**asdict(known), "share": share})

    def _pruned(self, share: float) -> tuple[nn.Module, tuple[int, ...]]:
        """Return the network without what ``share`` takes away, and the channels left of every layer."""
        found = self._selected(share)
        if found is None or found.plan is None:
            return self._network, ()
        masked = copy.deepcopy(self._network)
        found.masks.apply(masked)
        return compact(masked, found.plan), tuple(layer.after for layer in found.plan.layers)

    def _selected(self, share: float) -> Selection | None:
        if share == 0:
            return None
        if self._splits is None:
            shape = tuple(self._recipe.model.input_shape)
            self._splits = load_splits(self._recipe.data, self._recipe.seed, shape, self._progress)
        part = self._recipe.model_copy(update={"prune": self._recipe.prune.scaled(share)})
        try:
            earlier: Plan | None = earlier_plan(self._recipe.model)
            return select_at_once(self._network, self._splits, part, earlier, SilentProgress())
        except NothingToRemove:
            return None

    def _build_and_run(self, network: nn.Module, share: float) -> Probe:
        with tempfile.TemporaryDirectory(prefix="edgeprune-") as scratch:
            onnx, lowered, built = (Path(scratch) / name for name in ("network.onnx", "lowered", "built"))
            lowered.mkdir()
            built.mkdir()
            export_onnx(network, example_input(self._recipe.model), onnx, opset=self._recipe.export.opset)
            lower(onnx, self._target, lowered, SilentProgress())
            golden = made_records(onnx)
            manifest = build(lowered, None, golden, self._target, "probe", "probe", built, SilentProgress())
            latency = self._latency(built) if self._budget.latency_us is not None else None
        return _probe(share, network, manifest, latency)

    def _latency(self, built: Path) -> tuple[float, str]:
        quick = self._recipe.measure.model_copy(update={"profile": False})
        return time_of(measure(built, self._target, quick, progress=SilentProgress()), self._target)


def time_of(measured: Measurement | NotRun, target: Target) -> tuple[float, str]:
    """Return the microseconds of an inference, and whether they are measured or estimated.

    Raises:
        StageFailure: it did not run there, or ran under an emulator that gives no time.
    """
    missing: Unavailable | None = None
    if isinstance(measured, NotRun):
        missing = measured.absent
    elif measured.latency is not None:
        return measured.latency.p50 / 1000, "measured"
    elif measured.cycles_estimated is None:
        missing = measured.cycles_absent or measured.instructions_absent
    elif measured.cycles_estimated.milliseconds is not None:
        return 1000 * measured.cycles_estimated.milliseconds.value, "estimated"
    if missing is None:
        reason = f"the target does not say the clock of its core; add max_mhz to [[cores]] of {target.name}"
        raise StageFailure(f"budget.latency_us: no time on {target.name}: {reason}")
    raise StageFailure(f"budget.latency_us: no time on {target.name}: {missing.reason}; {missing.mend}")


def _probe(share: float, network: nn.Module, manifest: Manifest, latency: tuple[float, str] | None) -> Probe:
    time, provenance = latency if latency is not None else (None, None)
    return Probe(
        share=share,
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        size_kb=(manifest.weight_bytes + manifest.code_bytes) / 1000,
        memory_kb=manifest.arena_bytes / 1000,
        latency_us=time,
        provenance=provenance,
    )
