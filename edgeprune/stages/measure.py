"""Measure: both artifacts of one board run there, checked against the golden outputs, then timed or counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeprune.emulation import Unavailable
from edgeprune.measuring import compare_interleaved, run_inputs
from edgeprune.measuring import measure as measure_artifact
from edgeprune.parity import compare
from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.recipe import Measure
from edgeprune.stages.golden import load_golden, tolerance_on
from edgeprune.stages.variant import VARIANTS
from edgeprune.target import Target


def measure(build: Path, golden: Path, target: Target, settings: Measure, out: Path, progress: Progress) -> None:
    """Write ``<variant>.json`` for both networks, and ``comparison.json`` where the board can be timed.

    Every golden input goes through the binary on the board; its outputs are held against ONNX Runtime's.
    """
    records = load_golden(golden)
    progress.stage(f"measure on {target.name}", len(VARIANTS))
    for variant in VARIANTS:
        artifact = build / variant
        measurement = measure_artifact(artifact, target, settings, progress=progress).as_dict()
        answers = run_inputs(artifact, target, records["inputs"])
        if not isinstance(answers, Unavailable):
            border = f"{variant}: ONNX Runtime | binary on {target.name}"
            parity = compare(records[variant], answers, border=border, tolerance=tolerance_on(target))
            measurement["parity"] = parity.as_dict()
        write_json(out / f"{variant}.json", measurement)
        progress.advance(f"{variant}: {_in_words(measurement)}")
    if not target.emulated:
        pair = (build / "dense", build / "pruned")
        comparison = compare_interleaved(*pair, target, settings=settings, progress=progress)
        write_json(out / "comparison.json", comparison.as_dict())


def _in_words(measurement: dict[str, Any]) -> str:
    if measurement["provenance"] == "not run":
        return f"not run: {measurement['absent']['reason']}"
    if measurement["latency"] is not None:
        return f"{measurement['latency']['p50'] / 1000:.1f} us (median)"
    if measurement["instructions"] is not None:
        return f"{measurement['instructions']['region']:,} instructions"
    return "correct"
