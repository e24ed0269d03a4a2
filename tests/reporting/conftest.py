"""A realistic report: LeNet-5 on MNIST, measured on the host, emulated for one board, not run for another."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from edgeprune.reporting import (
    Accuracy,
    BuildChoice,
    Circumstance,
    CycleEstimate,
    DataSummary,
    Epoch,
    Fact,
    Figure,
    Interval,
    Kernel,
    Latency,
    LatencyRatio,
    Layer,
    Network,
    NotRun,
    Parity,
    Rate,
    Report,
    Roofline,
    Round,
    Stage,
    Step,
    TargetResult,
    VariantResult,
)

NO_QEMU = "not run: no QEMU found; run tools/fetch_qemu.py"
NO_WALL_TIME = "emulated: the wall time of an emulator is not a latency"
NO_PEAK = "target host does not give bandwidth_gb_s"
NOT_COUNTED = "instructions are counted for emulated targets only"

computed = Figure.computed

PARAMETERS = {"dense": 431080, "pruned": 31472}
MACS = {"dense": 2293000, "pruned": 283610}
EXECUTABLE = {"dense": 1789952, "pruned": 178176}
INSTRUCTIONS = {"dense": 1873554, "pruned": 271193}
CYCLES = {"dense": 3105220, "pruned": 402118}
LAYERS = (
    ("conv1", "Conv2d", 20, 7),
    ("conv2", "Conv2d", 50, 17),
    ("fc1", "Linear", 500, 92),
    ("fc2", "Linear", 10, 10),
)

Variant = Literal["dense", "pruned"]


def samples(median: float, count: int, seed: int) -> tuple[float, ...]:
    """Return latencies in us with the long right tail of a real machine."""
    random = np.random.default_rng(seed)
    body = median * (1 + 0.006 * random.gamma(2.0, 1.0, count))
    slow = random.random(count) < 0.01
    return tuple(np.round(np.where(slow, body * (1.3 + 2 * random.random(count)), body), 3).tolist())


def latency(median: float, count: int, seed: int) -> Latency:
    taken = samples(median, count, seed)
    p50, p90, p99 = (float(value) for value in np.percentile(taken, (50, 90, 99)))
    return Latency(
        p50=Figure.measured(p50, "us"),
        p90=Figure.measured(p90, "us"),
        p99=Figure.measured(p99, "us"),
        windows=Figure.measured(float(np.mean(taken)), "us"),
        interval=Interval(low=p50 * 0.999, high=p50 * 1.001, confidence=0.95),
        samples=taken,
        taken=count,
    )


def parity(border: str, error: float, provenance: Literal["computed", "measured", "emulated"] = "computed") -> Parity:
    figure = Figure(value=error, unit="1", provenance=provenance)
    return Parity(border=border, relative_error=figure, tolerance=1e-4, passed=True)


def kernels(variant: Variant, tuned: bool, best: Figure) -> tuple[Kernel, ...]:
    nodes = (("conv1", "pool1"), ("conv2", "pool2"), ("fc1", "relu"), ("fc2",))
    return tuple(
        Kernel(
            name=f"fused_{'_'.join(group)}",
            nodes=group,
            tuned=tuned,
            trials=computed(16 if tuned else 0, "trials"),
            best=best,
        )
        for group in nodes
    )


def choices(median: float) -> tuple[BuildChoice, ...]:
    return (
        BuildChoice(
            name="default schedules",
            time=Figure.measured(1.25 * median, "us"),
            ratio=Figure.absent("the baseline", "1"),
            interval=None,
            kept=False,
        ),
        BuildChoice(
            name="tuned schedules",
            time=Figure.measured(median, "us"),
            ratio=Figure.measured(0.8, "1"),
            interval=Interval(low=0.79, high=0.81, confidence=0.95),
            kept=True,
        ),
    )


def rate(flop: int, moved: int, time: float, peak: float | None) -> Rate:
    """Return what ``time`` us give, against ``peak`` FLOP/s and an unknown bandwidth."""
    achieved = 1e6 * flop / time
    return Rate(
        flop=computed(flop, "FLOP"),
        bytes=computed(moved, "B"),
        flop_rate=Figure.measured(achieved, "FLOP/s"),
        byte_rate=Figure.measured(1e6 * moved / time, "B/s"),
        flop_fraction=Figure.absent(NO_PEAK, "%") if peak is None else Figure.measured(100 * achieved / peak, "%"),
        byte_fraction=Figure.absent(NO_PEAK, "%"),
    )


def roofline(variant: Variant, median: float) -> Roofline:
    shares = (
        (("conv1", "pool1"), 0.2, 0.15),
        (("conv2", "pool2"), 0.5, 0.6),
        (("fc1", "relu"), 0.3, 0.2),
        ((), 0, 0.05),
    )
    whole, moved = 2 * MACS[variant], 5 * PARAMETERS[variant]
    return Roofline(
        peak_flop_rate=computed(100e9, "FLOP/s"),
        peak_byte_rate=Figure.absent(NO_PEAK, "B/s"),
        origin="1 x host of target host",
        total=rate(whole, moved, median, 100e9),
        steps=tuple(
            Step(
                kernel=f"fused_{'_'.join(nodes) or 'copy'}",
                nodes=nodes,
                time=Figure.measured(median * time, "us"),
                rate=rate(int(whole * work), int(moved * (work + 0.01)), median * time, 100e9),
            )
            for nodes, work, time in shares
        ),
    )


def cycles(variant: Variant) -> CycleEstimate:
    """Return an estimate whose uncertain numbers move it by -7 % and +25 %, on a core of 1400 MHz."""
    value = CYCLES[variant]
    return CycleEstimate(
        value=Figure.estimated(value, "cycles"),
        low=Figure.estimated(round(0.93 * value), "cycles"),
        high=Figure.estimated(round(1.25 * value), "cycles"),
        time=Figure.estimated(value / 1400, "us"),
        model="in-order dual issue model of cortex-a53",
    )


def result(
    variant: Variant, correct: int, how: Literal["measured", "emulated"], count: int, seed: int
) -> VariantResult:
    on_host = how == "measured"
    median = {"dense": 212.0, "pruned": 38.5}[variant]
    return VariantResult(
        variant=variant,
        accuracy=Accuracy.of(correct, 10000, how),
        parameters=computed(PARAMETERS[variant], "parameters"),
        macs=computed(MACS[variant], "MACs"),
        weight_bytes=computed(4 * PARAMETERS[variant], "B"),
        executable_bytes=computed(EXECUTABLE[variant], "B"),
        code_bytes=computed({"dense": 22912, "pruned": 19840}[variant], "B"),
        arena_bytes=computed({"dense": 52480, "pruned": 18240}[variant], "B"),
        arena_bound_bytes=computed({"dense": 51200, "pruned": 17920}[variant], "B"),
        latency=latency(median, count, seed) if on_host else Latency.absent(NO_WALL_TIME),
        instructions=Figure.absent(NOT_COUNTED, "instructions")
        if on_host
        else Figure.emulated(INSTRUCTIONS[variant], "instructions"),
        cycles=None if on_host else cycles(variant),
        roofline=roofline(variant, median) if on_host else None,
        kernels=kernels(
            variant,
            on_host,
            Figure.measured(median / 5, "us") if on_host else Figure.absent("not tuned: no board", "us"),
        ),
        choices=choices(median) if on_host else (),
        parity=(parity("onnxruntime | artifact", 3.1e-7, how),),
        verdicts=("governor not fixed: no cpufreq on this machine",) if on_host else (),
        environment=(Fact(name="governor", value="absent"), Fact(name="cores used", value="1")) if on_host else (),
        circumstances=(
            Circumstance(name="clock", before="0-3: 600 MHz", after="0-3: 1400 MHz"),
            Circumstance(name="temperatures", before="absent", after="absent"),
        )
        if on_host
        else (),
    )


def unreached(variant: Variant) -> VariantResult:
    """Return a variant that was built for its board but could not be run."""
    return result(variant, 9900, "emulated", 1, 0).model_copy(
        update={
            "accuracy": Accuracy.absent(NO_QEMU),
            "latency": Latency.absent(NO_QEMU),
            "instructions": Figure.absent(NO_QEMU, "instructions"),
            "cycles": None,
            "parity": (),
        }
    )


def targets(count: int) -> tuple[TargetResult, ...]:
    both: tuple[tuple[Variant, int], ...] = (("dense", 9914), ("pruned", 9909))
    host = tuple(result(variant, correct, "measured", count, seed) for seed, (variant, correct) in enumerate(both))
    board = tuple(result(variant, correct, "emulated", count, 0) for variant, correct in both)
    return (
        TargetResult(
            name="host",
            description="This machine (x86-64 Linux)",
            emulator_cpu=None,
            variants=host,
            latency_ratio=LatencyRatio(
                ratio=Figure.measured(0.125, "1"),
                interval=Interval(low=0.12, high=0.13, confidence=0.95),
                rounds=10,
            ),
        ),
        TargetResult(
            name="rpi3", description="Raspberry Pi 3 (4 x Cortex-A53)", emulator_cpu="cortex-a53", variants=board
        ),
        TargetResult(
            name="cortex-a7",
            description="Cortex-A7 camera, armv7 hard float",
            emulator_cpu="cortex-a7",
            variants=(unreached("dense"), unreached("pruned")),
        ),
    )


def build_report(count: int = 1000) -> Report:
    """Return the sample with ``count`` latency samples per variant."""
    return Report(
        title="lenet5-mnist",
        description="LeNet-5 on MNIST, pruned by channels and neurons in three rounds",
        created="2026-11-24T07:00:00Z",
        command="edgeprune run lenet5-mnist --target host --target rpi3 --target cortex-a7",
        seed=0,
        machine="AMD EPYC 7B13",
        versions={"edgeprune": "0.1.0", "torch": "2.13.0", "apache-tvm": "0.27.0.post1", "python": "3.11.9"},
        data=DataSummary(
            description="MNIST, 28 x 28 grey digits in 10 classes", training=55000, validation=5000, test=10000
        ),
        settings=(
            Fact(name="criterion", value="l1"),
            Fact(name="schedule", value="iterative, 3 rounds"),
            Fact(name="amount", value="0.8 of the channels"),
        ),
        dense=Network(
            test=Accuracy.of(9914, 10000),
            validation=Accuracy.of(4955, 5000),
            parameters=computed(PARAMETERS["dense"], "parameters"),
            macs=computed(MACS["dense"], "MACs"),
        ),
        pruned=Network(
            test=Accuracy.of(9909, 10000),
            validation=Accuracy.of(4953, 5000),
            parameters=computed(PARAMETERS["pruned"], "parameters"),
            macs=computed(MACS["pruned"], "MACs"),
        ),
        epochs=tuple(
            Epoch(epoch=index + 1, loss=computed(loss, "1"), validation=computed(accuracy, "%"))
            for index, (loss, accuracy) in enumerate(((0.31, 97.62), (0.07, 98.54), (0.041, 98.86), (0.022, 99.1)))
        ),
        rounds=tuple(
            Round(
                round=index + 1,
                ratio=computed(PARAMETERS["dense"] / left, "1"),
                parameters=computed(left, "parameters"),
                validation=computed(accuracy, "%"),
            )
            for index, (left, accuracy) in enumerate(((176820, 99.12), (73214, 99.08), (31472, 99.06)))
        ),
        layers=tuple(
            Layer(
                name=name,
                kind=kind,
                before=computed(before, "channels"),
                after=computed(after, "channels"),
                pinned="its outputs are the network's outputs" if name == "fc2" else None,
            )
            for name, kind, before, after in LAYERS
        ),
        parity=(parity("masked | compact", 0.0), parity("torch | onnxruntime", 2.4e-7)),
        targets=targets(count),
        not_run=(NotRun(what="cortex-a7: run under emulation", reason="no QEMU found; run tools/fetch_qemu.py"),),
        stages=(
            Stage(name="train", seconds=Figure.measured(61.2, "s")),
            Stage(name="prune", seconds=Figure.measured(93.8, "s")),
        ),
    )


@pytest.fixture(scope="session")
def report() -> Report:
    return build_report()
