"""The study's JSON document: every cell, and per arm and operating point the mean and deviation over seeds."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from edgeprune.pipeline.fingerprint import package_versions
from edgeprune.stages.network import build_network
from edgeprune.studies.arm_recipe import arm_recipe
from edgeprune.studies.network_size import NetworkSize, network_size
from edgeprune.studies.schema import Study

PROTOCOL = (
    "validation alone was looked at while the study was made; every network is the one after its last epoch; the test "
    "split was read once per cell, after its networks were finished; deviations are sample deviations over seeds; "
    "losses are differences to the control arm of the same seed"
)
Result = Mapping[str, Any]
Point = Mapping[str, Any]


def study_document(
    study: Study, seeds: Sequence[int], results: Sequence[Result], dense: Sequence[Mapping[str, float]], command: str
) -> dict[str, Any]:
    """Return the JSON-able document of a finished study.

    ``dense`` holds what training each of the dense networks took, which cells share.
    """
    recipe = arm_recipe(study, study.named(study.control), seeds[0], study.ratios[-1] if study.ratios else None)
    network = build_network(recipe.model, recipe.seed)
    size = network_size(network, torch.zeros(1, *recipe.model.input_shape), {})
    return {
        "study": study.model_dump(mode="json", exclude_defaults=True) | {"seeds": list(seeds)},
        "axis": study.axis,
        "command": command,
        "versions": package_versions("edgeprune", "torch", "numpy") | {"python": platform.python_version()},
        "machine": {"cores": os.cpu_count(), "architecture": platform.machine(), "threads": torch.get_num_threads()},
        "protocol": PROTOCOL,
        **{name: round(sum(one[name] for one in (*dense, *results))) for name in ("seconds", "processor_seconds")},
        "dense": {"weights": size.weights, "parameters": size.parameters, "macs": size.macs},
        "summary": study_summary(study, results, size),
        "cells": list(results),
    }


def study_summary(study: Study, results: Sequence[Result], dense: NetworkSize) -> list[dict[str, Any]]:
    """Return a row per arm and ratio, in the order of the study."""
    rows = []
    for arm in study.arm:
        own = [result for result in results if result["arm"] == arm.name]
        ratios = dict.fromkeys(point["ratio"] for result in own for point in result["points"])
        for ratio in ratios:
            chosen = {result["seed"]: point for result in own if (point := _at(result, ratio)) is not None}
            rows.append(_row(arm.name, ratio, chosen, _controls(study, results, ratio), dense))
    return rows


def _row(
    arm: str, ratio: float | None, points: Mapping[int, Point], controls: Mapping[int, Point], dense: NetworkSize
) -> dict[str, Any]:
    chosen = list(points.values())
    pairs = [(controls[seed], point) for seed, point in points.items() if seed in controls]
    before = [100 * point["validation_before_retraining"] for point in chosen if _was_pruned(point)]
    without_dead = [
        point["parameters_without_dead"] for point in chosen if point["parameters_without_dead"] is not None
    ]
    row = {
        "arm": arm,
        "ratio": ratio,
        "seeds": len(points),
        "compression": _mean(chosen, lambda point: dense.weights / point["weights"]),
        "speed_up": _mean(chosen, lambda point: dense.macs / point["macs"]),
        "parameters": _mean(chosen, lambda point: float(point["parameters"])),
        "test_error": spread([error(point["test"]) for point in chosen]),
        "validation_error": spread([error(point["validation"]) for point in chosen]),
        "test_points_lost": spread([error(point["test"]) - error(control["test"]) for control, point in pairs]),
        "kept": _kept(chosen),
    }
    if before:
        row["validation_error_before_retraining"] = spread([100 - value for value in before])
    if without_dead:
        row["parameters_without_dead"] = round(statistics.fmean(without_dead))
    return row


def _kept(points: Sequence[Point]) -> dict[str, float]:
    layers = points[0]["kept"]
    return {layer: round(statistics.fmean(point["kept"][layer] for point in points), 5) for layer in layers}


def _controls(study: Study, results: Sequence[Result], ratio: float | None) -> dict[int, Point]:
    """Return the control's point per seed: the one at the same ratio, or its only one."""
    found = {}
    for result in results:
        if result["arm"] == study.control:
            same = _at(result, ratio)
            if same is None and len(result["points"]) == 1:
                same = result["points"][0]
            if same is not None:
                found[result["seed"]] = same
    return found


def _at(result: Result, ratio: float | None) -> Point | None:
    return next((point for point in result["points"] if point["ratio"] == ratio), None)


def _was_pruned(point: Point) -> bool:
    return point["validation_before_retraining"] is not None


def error(counts: Mapping[str, Any]) -> float:
    """Return the share of wrong answers in per cent."""
    return 100 * (1 - float(counts["correct"]) / float(counts["total"]))


def spread(values: Sequence[float]) -> dict[str, float | None] | None:
    """Return mean and sample deviation (None for a single value), rounded to a ten-thousandth; None of nothing."""
    if not values:
        return None
    deviation = round(statistics.stdev(values), 4) if len(values) > 1 else None
    return {"mean": round(statistics.fmean(values), 4), "deviation": deviation}


def _mean(points: Sequence[Point], figure: Callable[[Point], float]) -> float:
    return round(statistics.fmean(figure(point) for point in points), 3)
