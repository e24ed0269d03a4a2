"""The part of a report that boards give: what was built for each, and what running it showed."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import model_validator

from edgeprune.reporting.figure import Accuracy, Figure, Part

Variant: TypeAlias = Literal["dense", "pruned"]


class Fact(Part):
    """A setting or circumstance as a person reads it: "schedule" = "iterative, 3 rounds"."""

    name: str
    value: str


class Interval(Part):
    """Bootstrap confidence interval in the unit of its figure; ``confidence`` in (0, 1)."""

    low: float
    high: float
    confidence: float


class Latency(Part):
    """Single-stream latency in microseconds, with its samples in the order they were taken.

    ``taken`` is how many there were; where there were very many, ``samples`` is every k-th of them with the fastest and
    the slowest, and every figure is still of all. ``p99`` is absent below 100 samples; ``windows`` is the median of the
    means of five windows.
    """

    p50: Figure
    p90: Figure
    p99: Figure
    windows: Figure
    interval: Interval | None = None
    samples: tuple[float, ...] = ()
    taken: int = 0

    @model_validator(mode="after")
    def _never_from_an_emulator(self) -> Latency:
        if any(figure.provenance == "emulated" for figure in (self.p50, self.p90, self.p99, self.windows)):
            raise ValueError("the wall time of an emulator is not a latency")
        if (self.p50.value is None) != (self.p90.value is None):
            raise ValueError("p50 and p90 are given together")
        if self.p50.value is None and (self.samples or self.interval):
            raise ValueError("an absent latency has neither samples nor an interval")
        if self.p50.provenance == "measured" and not self.samples:
            raise ValueError("a measured latency keeps its samples")
        if self.taken < len(self.samples):
            raise ValueError(f"{len(self.samples)} samples of {self.taken} taken")
        return self

    @classmethod
    def absent(cls, reason: str) -> Latency:
        """Return a latency that was not measured."""
        missing = Figure.absent(reason, "us")
        return Latency(p50=missing, p90=missing, p99=missing, windows=missing)


class Kernel(Part):
    """One compiled kernel: its tuning effort and the best time its tuner saw."""

    name: str
    nodes: tuple[str, ...]
    tuned: bool
    trials: Figure
    best: Figure


class BuildChoice(Part):
    """One way to build the network, measured as a whole beside the others; the first of them is the baseline.

    ``ratio`` is its time over the baseline's. ``interval`` is the bootstrap interval of measured ratios, of estimated
    ones the range over the ends of the model's range. ``kept``: the artifact is built like this.
    """

    name: str
    time: Figure
    ratio: Figure
    interval: Interval | None
    kept: bool


class Rate(Part):
    """What work was done in a time, per second, and as a fraction of what the board could do at most (%)."""

    flop: Figure
    bytes: Figure
    flop_rate: Figure
    byte_rate: Figure
    flop_fraction: Figure
    byte_fraction: Figure


class Step(Part):
    """One step of an inference in its profile: a kernel's call, the ONNX nodes it computes, and its median time."""

    kernel: str
    nodes: tuple[str, ...]
    time: Figure
    rate: Rate


class Roofline(Part):
    """A whole inference and its steps against the board's peaks; ``origin`` says whose peaks these are."""

    peak_flop_rate: Figure
    peak_byte_rate: Figure
    origin: str
    total: Rate
    steps: tuple[Step, ...]


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


class Circumstance(Part):
    """What the board said of itself before and after the timed part; "absent" where it says nothing."""

    name: str
    before: str
    after: str


class Parity(Part):
    """Comparison across one border ("torch | onnxruntime"): ``max|dy| / max|y|`` against its tolerance."""

    border: str
    relative_error: Figure
    tolerance: float
    passed: bool


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
    roofline: Roofline | None = None
    kernels: tuple[Kernel, ...] = ()
    choices: tuple[BuildChoice, ...] = ()
    parity: tuple[Parity, ...] = ()
    verdicts: tuple[str, ...] = ()
    environment: tuple[Fact, ...] = ()
    circumstances: tuple[Circumstance, ...] = ()

    @property
    def estimated_cycles(self) -> Figure:
        """The nominal answer of the core's model; absent where nothing was emulated or there is no model."""
        if self.cycles is not None:
            return self.cycles.value
        return Figure.absent(self.instructions.reason or "no model of this core, or several threads", "cycles")


class LatencyRatio(Part):
    """Pruned over dense latency, both timed in turns: the median over ``rounds`` of the ratio of their medians.

    Slow changes of the machine hit both alike, so it is surer than the ratio of two separate measurements.
    """

    ratio: Figure
    interval: Interval
    rounds: int


class TargetResult(Part):
    """One board: ``emulator_cpu`` is the CPU model QEMU enforced, absent where the board itself ran the binary.

    ``address`` is where the board was reached ("local", "ssh://pi@camera").
    """

    name: str
    description: str
    emulator_cpu: str | None
    variants: tuple[VariantResult, ...]
    address: str | None = None
    latency_ratio: LatencyRatio | None = None

    @model_validator(mode="after")
    def _each_variant_once(self) -> TargetResult:
        names = [result.variant for result in self.variants]
        if len(set(names)) != len(names):
            raise ValueError(f"target {self.name} holds a variant twice")
        return self

    @property
    def elsewhere(self) -> str | None:
        """The address of a board that is another machine, ``None`` for this one and for an emulated board."""
        return self.address if self.address not in (None, "local", "qemu") else None

    def variant(self, name: Variant) -> VariantResult | None:
        """Return the result of that variant, ``None`` if it was not built."""
        return next((result for result in self.variants if result.variant == name), None)
