"""The typed content of a report: what one run found, ready to be written, printed or compared."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import model_validator

from edgeprune.reporting.figure import Accuracy, Figure, Part

Variant: TypeAlias = Literal["dense", "pruned"]


class Fact(Part):
    """A setting or circumstance as a person reads it: "schedule" = "iterative, 3 rounds"."""

    name: str
    value: str


class DataSummary(Part):
    """The data in a sentence, and the number of samples in each split."""

    description: str
    training: int
    validation: int
    test: int


class Network(Part):
    """One variant of the network, before any target is chosen."""

    test: Accuracy
    validation: Accuracy
    parameters: Figure
    macs: Figure


class Epoch(Part):
    """One epoch of the dense training; ``epoch`` counts from 1, ``loss`` is the mean training loss."""

    epoch: int
    loss: Figure
    validation: Figure


class Round(Part):
    """State after one pruning round with its retraining; ``ratio`` is dense parameters over parameters left."""

    round: int
    ratio: Figure
    parameters: Figure
    validation: Figure


class Layer(Part):
    """Output channels or neurons of one layer before and after; ``pinned`` says why nothing may be removed."""

    name: str
    kind: str
    before: Figure
    after: Figure
    pinned: str | None = None


class Interval(Part):
    """Bootstrap confidence interval in the unit of its figure; ``confidence`` in (0, 1)."""

    low: float
    high: float
    confidence: float


class Latency(Part):
    """Single-stream latency in microseconds with every sample kept; ``samples`` are in the order they were taken."""

    p50: Figure
    p90: Figure
    interval: Interval | None = None
    samples: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _never_from_an_emulator(self) -> Latency:
        if any(figure.provenance == "emulated" for figure in (self.p50, self.p90)):
            raise ValueError("the wall time of an emulator is not a latency")
        if (self.p50.value is None) != (self.p90.value is None):
            raise ValueError("p50 and p90 are given together")
        if self.p50.value is None and (self.samples or self.interval):
            raise ValueError("an absent latency has neither samples nor an interval")
        if self.p50.provenance == "measured" and not self.samples:
            raise ValueError("a measured latency keeps its samples")
        return self

    @classmethod
    def absent(cls, reason: str) -> Latency:
        """Return a latency that was not measured."""
        return Latency(p50=Figure.absent(reason, "us"), p90=Figure.absent(reason, "us"))


class Kernel(Part):
    """One compiled kernel: its tuning effort and the best time its tuner saw."""

    name: str
    nodes: tuple[str, ...]
    tuned: bool
    trials: Figure
    best: Figure


class Parity(Part):
    """Comparison across one border ("torch | onnxruntime"): ``max|dy| / max|y|`` against its tolerance."""

    border: str
    relative_error: Figure
    tolerance: float
    passed: bool


class CycleEstimate(Part):
    """Cycles of one inference by a stated ``model`` of a core: never measured, and never without their range.

    ``low`` and ``high`` are the model's answers with all its uncertain numbers at one end; ``time`` is ``value`` at the
    board's highest clock, in microseconds.
    """

    value: Figure
    low: Figure
    high: Figure
    time: Figure
    model: str

    @model_validator(mode="after")
    def _an_estimate_with_its_range(self) -> CycleEstimate:
        figures = (self.value, self.low, self.high)
        if any(figure.provenance != "estimated" or figure.unit != "cycles" for figure in figures):
            raise ValueError("cycles of a model are estimated, all three")
        if self.time.provenance not in ("estimated", None) or self.time.unit != "us":
            raise ValueError("the time of estimated cycles is an estimate in us")
        return self


class VariantResult(Part):
    """What was built for one target from one variant, and what running it gave.

    ``accuracy`` is the binary's own over the test set; ``executable_bytes`` the self-checking benchmark's file size,
    ``code_bytes`` the library's .text, ``arena_bound_bytes`` the lower bound no arena can be under; ``mix`` the
    instructions by class.
    """

    variant: Variant
    accuracy: Accuracy
    parameters: Figure
    macs: Figure
    weight_bytes: Figure
    executable_bytes: Figure
    code_bytes: Figure
    arena_bytes: Figure
    arena_bound_bytes: Figure
    latency: Latency
    instructions: Figure
    mix: dict[str, Figure] = {}
    cycles: CycleEstimate | None = None
    kernels: tuple[Kernel, ...] = ()
    parity: tuple[Parity, ...] = ()
    verdicts: tuple[str, ...] = ()
    environment: tuple[Fact, ...] = ()


class LatencyRatio(Part):
    """Pruned over dense latency, both timed in turns: the median over ``rounds`` of the ratio of their medians.

    Slow changes of the machine hit both alike, so it is surer than the ratio of two separate measurements.
    """

    ratio: Figure
    interval: Interval
    rounds: int


class TargetResult(Part):
    """One board: ``emulator_cpu`` is the CPU model QEMU enforced, absent where the board itself ran the binary."""

    name: str
    description: str
    emulator_cpu: str | None
    variants: tuple[VariantResult, ...]
    latency_ratio: LatencyRatio | None = None

    @model_validator(mode="after")
    def _each_variant_once(self) -> TargetResult:
        names = [result.variant for result in self.variants]
        if len(set(names)) != len(names):
            raise ValueError(f"target {self.name} holds a variant twice")
        return self

    def variant(self, name: Variant) -> VariantResult | None:
        """Return the result of that variant, ``None`` if it was not built."""
        return next((result for result in self.variants if result.variant == name), None)


class NotRun(Part):
    """A step that did not run, and why."""

    what: str
    reason: str


class Stage(Part):
    """How long a stage took when it last ran."""

    name: str
    seconds: Figure


class Report(Part):
    """Everything a run found; each number is a ``Figure``.

    ``created`` is an ISO 8601 time in UTC, ``machine`` the CPU model (never the host's name), ``parity`` the borders
    that no target has a part in.
    """

    format: Literal[1] = 1
    title: str
    description: str
    created: str
    command: str
    seed: int
    machine: str
    versions: dict[str, str]
    data: DataSummary
    settings: tuple[Fact, ...]
    dense: Network
    pruned: Network
    epochs: tuple[Epoch, ...] = ()
    rounds: tuple[Round, ...] = ()
    layers: tuple[Layer, ...] = ()
    parity: tuple[Parity, ...] = ()
    targets: tuple[TargetResult, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    stages: tuple[Stage, ...] = ()

    def network(self, variant: Variant) -> Network:
        """Return the network of that variant."""
        return self.dense if variant == "dense" else self.pruned
