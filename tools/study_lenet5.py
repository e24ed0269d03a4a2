"""Dense against pruned accuracy of a recipe over several seeds, for a study file that is committed.

    python tools/study_lenet5.py --seeds 0 1 2 --json docs/studies/lenet5-mnist.json

Each seed has its own validation split, initial weights and order of samples. Only training and validation are read
while networks are made; the test split is read once, after the last one is finished. A run that was killed continues
from the files in ``--work``.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgeprune.data import load_splits
from edgeprune.data.splits import Splits
from edgeprune.progress import SilentProgress
from edgeprune.pruning import compact
from edgeprune.pruning.plan import Plan
from edgeprune.recipe import Recipe, find_recipe
from edgeprune.stages.network import build_network
from edgeprune.training import Accuracy, evaluate, fit, prune_and_retrain


@dataclass(frozen=True)
class Pair:
    """One seed's networks before their test accuracy is known."""

    seed: int
    splits: Splits
    dense: nn.Module
    pruned: nn.Module
    plan: Plan


class Printed(SilentProgress):
    """One line per finished epoch or round."""

    def advance(self, message: str) -> None:
        """Print the step."""
        print(f"  {message}", flush=True)

    def note(self, message: str) -> None:
        """Print the note."""
        print(message, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the networks of every seed, then read the test split and write the study."""
    options = _options(arguments)
    pairs = []
    for seed in options.seeds:
        print(f"seed {seed}", flush=True)
        pairs.append(_make_pair(find_recipe(options.recipe, [f"seed={seed}"]), options.work / f"seed-{seed}"))
    study = _study(find_recipe(options.recipe), pairs, options)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    temporary = options.json.with_suffix(".part")
    temporary.write_text(json.dumps(study, indent=1) + "\n", encoding="utf-8")
    temporary.replace(options.json)
    print(_summary(study))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--recipe", default="lenet5-mnist", help="recipe of whole-channel pruning (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", type=Path, required=True, help="the study file to write")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/study-lenet5"), help="where a killed run continues from"
    )
    return parser.parse_args(arguments)


def _make_pair(recipe: Recipe, work: Path) -> Pair:
    progress = Printed()
    splits = load_splits(recipe.data, recipe.seed, recipe.model.input_shape, progress)
    dense = build_network(recipe.model, recipe.seed)
    fit(dense, splits, recipe.train, seed=recipe.seed, checkpoint=work / "dense.safetensors", progress=progress)
    masked = build_network(recipe.model, recipe.seed)
    masked.load_state_dict(dense.state_dict())
    result = prune_and_retrain(masked, splits, recipe, work=work, progress=progress)
    if result.plan is None:
        raise SystemExit(f"recipe {recipe.name}: prune.granularity must be channel, so that there is a compact network")
    return Pair(recipe.seed, splits, dense, compact(masked, result.plan), result.plan)


def _study(recipe: Recipe, pairs: Sequence[Pair], options: argparse.Namespace) -> dict[str, Any]:
    rows = [_row(pair) for pair in pairs]
    seeds = " ".join(str(seed) for seed in options.seeds)
    return {
        "recipe": recipe.model_dump(mode="json", exclude={"seed"}),
        "command": f"python tools/study_lenet5.py --recipe {options.recipe} --seeds {seeds} --json {options.json}",
        "versions": {name: version(name) for name in ("edgeprune", "torch", "numpy")}
        | {"python": platform.python_version()},
        "threads": torch.get_num_threads(),
        "protocol": "validation chose the recipe; the test split was read once, after all networks were finished; "
        "the dense network is the one the pruned network started from, without the retraining epochs",
        "seeds": rows,
        "summary": {
            "test_accuracy_dense": _spread([row["dense"]["test"]["accuracy"] for row in rows]),
            "test_accuracy_pruned": _spread([row["pruned"]["test"]["accuracy"] for row in rows]),
            "validation_accuracy_dense": _spread([row["dense"]["validation"]["accuracy"] for row in rows]),
            "validation_accuracy_pruned": _spread([row["pruned"]["validation"]["accuracy"] for row in rows]),
            "test_points_lost": _spread([row["test_points_lost"] for row in rows]),
            "parameters_ratio": _spread([row["parameters_ratio"] for row in rows]),
            "macs_ratio": _spread([row["macs_ratio"] for row in rows]),
        },
    }


def _row(pair: Pair) -> dict[str, Any]:
    plan = pair.plan
    dense, pruned = (_accuracies(network, pair.splits) for network in (pair.dense, pair.pruned))
    return {
        "seed": pair.seed,
        "dense": dense | {"parameters": plan.parameters_before, "macs": plan.macs_before},
        "pruned": pruned | {"parameters": plan.parameters_after, "macs": plan.macs_after},
        "layers": {layer.name: [layer.before, layer.after] for layer in plan.layers},
        "test_points_lost": round(100 * (dense["test"]["accuracy"] - pruned["test"]["accuracy"]), 4),
        "parameters_ratio": round(plan.parameters_before / plan.parameters_after, 3),
        "macs_ratio": round(plan.macs_before / plan.macs_after, 3),
    }


def _accuracies(network: nn.Module, splits: Splits) -> dict[str, Any]:
    return {
        "validation": _counts(evaluate(network, splits.validation)),
        "test": _counts(evaluate(network, splits.test)),
    }


def _counts(accuracy: Accuracy) -> dict[str, float]:
    return {"correct": accuracy.correct, "total": accuracy.total, "accuracy": accuracy.fraction}


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Mean and sample standard deviation (0 for a single seed)."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": round(statistics.fmean(values), 6), "deviation": round(deviation, 6)}


def _summary(study: dict[str, Any]) -> str:
    figures = study["summary"]
    return "\n".join(f"{name}: {value['mean']:g} +- {value['deviation']:g}" for name, value in figures.items())


if __name__ == "__main__":
    main(sys.argv[1:])
