"""Running the sequence from the start, or up to a phase."""

from __future__ import annotations

from typing import Literal

from edgeprune.pipeline.lock import run_lock
from edgeprune.pipeline.sequence import (
    Run,
    budget_stage,
    build_stage,
    compact_stage,
    evaluate_stage,
    export_stage,
    lower_stage,
    measure_stage,
    prune_stage,
    report_stage,
    train_stage,
    tune_stage,
)
from edgeprune.pipeline.stage import Stage, StageResult, run_stage
from edgeprune.progress import Progress
from edgeprune.stages.variant import VARIANTS

Phase = Literal[
    "train", "budget", "prune", "compact", "export", "lower", "tune", "build", "measure", "evaluate", "report"
]


def run_pipeline(run: Run, progress: Progress, *, until: Phase = "report") -> tuple[StageResult, ...]:
    """Run every stage up to and including the phase ``until`` that does not already stand; return them in order."""
    results = []
    with run_lock(run.root):
        for phase, stages in phases(run).items():
            results += [run_stage(run.root, stage, progress) for stage in stages]
            if phase == until:
                break
    return tuple(results)


def phases(run: Run) -> dict[Phase, list[Stage]]:
    """Return the stages of each phase; the TVM phases have one stage per board and network."""
    budget = run.recipe.budget
    pairs = [(target, variant) for target in run.targets for variant in VARIANTS]
    return {
        "train": [train_stage(run)],
        "budget": [] if budget is None else [budget_stage(run, budget)],
        "prune": [prune_stage(run)],
        "compact": [compact_stage(run)],
        "export": [export_stage(run)],
        "lower": [lower_stage(run, target, variant) for target, variant in pairs],
        "tune": [tune_stage(run, target, variant) for target, variant in pairs],
        "build": [build_stage(run, target, variant) for target, variant in pairs],
        "measure": [measure_stage(run, target) for target in run.targets],
        "evaluate": [evaluate_stage(run)],
        "report": [report_stage(run)],
    }
