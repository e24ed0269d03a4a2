"""The part of the report that one board gives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeprune.reporting import (
    Accuracy,
    CycleEstimate,
    Figure,
    Interval,
    Kernel,
    LatencyRatio,
    Network,
    NotRun,
    Parity,
    Provenance,
    TargetResult,
    Variant,
    VariantResult,
)
from edgeprune.stages.report_choices import build_choices
from edgeprune.stages.report_environment import circumstances, facts
from edgeprune.stages.report_latency import latency, roofline
from edgeprune.stages.report_parts import absent_reason, parity, read_json
from edgeprune.stages.variant import VARIANTS
from edgeprune.target import Target

_NATIVE_COUNT = "not counted: the board itself ran it"


def target_result(
    root: Path, target: Target, networks: Mapping[Variant, Network], accuracy: Mapping[str, Any]
) -> TargetResult:
    """Return what was built for ``target`` and what running it gave."""
    return TargetResult(
        name=target.name,
        description=target.description,
        emulator_cpu=target.emulator.cpu if target.emulated and target.emulator is not None else None,
        address=_address(root, target),
        variants=tuple(_variant(root, target, variant, networks[variant], accuracy) for variant in VARIANTS),
        latency_ratio=_latency_ratio(root / "measure" / target.name / "comparison.json"),
    )


def not_run(root: Path, target: Target) -> tuple[NotRun, ...]:
    """Return the steps that could not run for ``target``, each with its reason and mend."""
    found = []
    for variant in VARIANTS:
        measurement = read_json(root / "measure" / target.name / f"{variant}.json")
        step = f"{variant} on {target.name}"
        if measurement["provenance"] == "not run":
            found.append(NotRun(what=f"running {step}", reason=absent_reason(measurement["absent"])))
        elif measurement["instructions_absent"] is not None:
            reason = absent_reason(measurement["instructions_absent"])
            found.append(NotRun(what=f"counting instructions of {step}", reason=reason))
        elif measurement.get("cycles_absent") is not None:
            reason = absent_reason(measurement["cycles_absent"])
            found.append(NotRun(what=f"estimating cycles of {step}", reason=reason))
        tuning = read_json(root / "tune" / target.name / variant / "tuning.json")
        if tuning["note"] and target.emulated:
            found.append(NotRun(what=f"tuning {step}", reason=tuning["note"]))
    return tuple(found)


def _variant(
    root: Path, target: Target, variant: Variant, network: Network, accuracy: Mapping[str, Any]
) -> VariantResult:
    manifest = read_json(root / "build" / target.name / variant / "manifest.json")
    measurement = read_json(root / "measure" / target.name / f"{variant}.json")
    tuning = read_json(root / "tune" / target.name / variant / "tuning.json")
    executable = manifest["files"][f"{manifest['model']}-bench"]["bytes"]
    return VariantResult(
        variant=variant,
        accuracy=_accuracy(target, accuracy[variant]),
        parameters=network.parameters,
        macs=network.macs,
        weight_bytes=Figure.computed(manifest["weight_bytes"], "B"),
        executable_bytes=Figure.computed(executable, "B"),
        code_bytes=Figure.computed(manifest["code_bytes"], "B"),
        arena_bytes=Figure.computed(manifest["arena_bytes"], "B"),
        arena_bound_bytes=Figure.computed(manifest["arena_bound_bytes"], "B"),
        latency=latency(measurement),
        instructions=_instructions(measurement),
        mix=_mix(measurement),
        cycles=_cycles(measurement),
        roofline=roofline(measurement),
        kernels=_kernels(manifest, tuning),
        choices=build_choices(tuning),
        parity=_parity(measurement),
        verdicts=_verdicts(measurement),
        environment=facts(measurement),
        circumstances=circumstances(measurement),
    )


def _address(root: Path, target: Target) -> str:
    """Return where the board was reached; behind a tracker both networks may have met a board of their own."""
    found = [read_json(root / "measure" / target.name / f"{variant}.json").get("board") for variant in VARIANTS]
    return " and ".join(dict.fromkeys(filter(None, found))) or target.transport


def _latency_ratio(path: Path) -> LatencyRatio | None:
    """Return the comparison in turns as pruned over dense; the file gives it the other way round."""
    if not path.is_file():
        return None
    found = read_json(path)
    low, high = 1 / found["ratio_interval"]["high"], 1 / found["ratio_interval"]["low"]
    return LatencyRatio(
        ratio=Figure.measured(1 / found["ratio"], "1"),
        interval=Interval(low=low, high=high, confidence=found["ratio_interval"]["confidence"]),
        rounds=found["rounds"],
    )


def _accuracy(target: Target, found: Mapping[str, Any]) -> Accuracy:
    if target.name not in found:
        return Accuracy.absent("not run over the test split: the golden outputs were compared instead")
    counts = found[target.name]["correct"], found[target.name]["total"]
    return Accuracy.of(*counts, "emulated" if target.emulated else "measured")


def _instructions(measurement: Mapping[str, Any]) -> Figure:
    if measurement["provenance"] == "not run":
        return Figure.absent(f"not run: {absent_reason(measurement['absent'])}", "instructions")
    if measurement["provenance"] == "measured":
        return Figure.absent(_NATIVE_COUNT, "instructions")
    if measurement["instructions"] is None:
        return Figure.absent(f"not counted: {absent_reason(measurement['instructions_absent'])}", "instructions")
    return Figure.emulated(measurement["instructions"]["region"], "instructions")


def _mix(measurement: Mapping[str, Any]) -> dict[str, Figure]:
    counted = measurement.get("instructions")
    if counted is None:
        return {}
    return {kind: Figure.emulated(count, "instructions") for kind, count in counted["mix"].items()}


def _cycles(measurement: Mapping[str, Any]) -> CycleEstimate | None:
    estimate = measurement.get("cycles_estimated")
    if estimate is None:
        return None
    time = estimate["milliseconds"]
    usual = f", with its usual {' and '.join(estimate['assumed_caches'])}" if estimate["assumed_caches"] else ""
    return CycleEstimate(
        value=Figure.estimated(estimate["value"], "cycles"),
        low=Figure.estimated(estimate["low"], "cycles"),
        high=Figure.estimated(estimate["high"], "cycles"),
        time=Figure.absent("the target does not say the core's clock", "us")
        if time is None
        else Figure.estimated(1000 * time["value"], "us"),
        model=f"{estimate['model']} model of {estimate['cpu']}{usual}",
    )


def _kernels(manifest: Mapping[str, Any], tuning: Mapping[str, Any]) -> tuple[Kernel, ...]:
    # Lowered otherwise than it was tuned, a kernel of the same name may be another one.
    tuned = {} if tuning["choices"].get("relowered") else {entry["name"]: entry for entry in tuning["kernels"]}
    kind = tuning["provenance"]
    return tuple(
        _kernel(entry, tuned.get(entry["name"].removesuffix("_prepacked")), kind) for entry in manifest["kernels"]
    )


def _kernel(entry: Mapping[str, Any], tuned: Mapping[str, Any] | None, kind: Provenance) -> Kernel:
    best = tuned["best_us"] if tuned is not None else None
    trials = tuned["trials"] + tuned["reused"] if tuned is not None else 0
    return Kernel(
        name=entry["name"],
        nodes=tuple(entry["onnx_nodes"]),
        tuned=entry["tuned"],
        trials=Figure.computed(trials, "trials"),
        best=Figure(value=best, unit="us", provenance=kind) if best is not None else Figure.absent("not tuned", "us"),
    )


def _parity(measurement: Mapping[str, Any]) -> tuple[Parity, ...]:
    return (parity(measurement["parity"]),) if "parity" in measurement else ()


def _verdicts(measurement: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{verdict['name']}: {verdict['detail']}" for verdict in measurement.get("verdicts", ()))
