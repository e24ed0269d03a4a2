"""From a study to its cells: what is computed at once, kept in one file, and never computed twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from edgeprune.errors import UserError
from edgeprune.pipeline.content_hash import hash_json, hash_own_code
from edgeprune.pipeline.fingerprint import package_versions, recipe_facts
from edgeprune.pruning.schedule import planned_amounts
from edgeprune.recipe import Recipe
from edgeprune.stages.rewind import kept_epoch
from edgeprune.studies.arm_recipe import arm_recipe
from edgeprune.studies.schema import Arm, Kind, Study

TRAINING_CODE = ("data", "models", "training", "evaluation_mode", "stages/network", "stages/rewind", "user_code")
_CODE = (
    *TRAINING_CODE, "pruning", "stages/prune", "stages/train",
    "studies/measure_cell", "studies/captured", "studies/network_size",
)  # fmt: skip
_PART_KEYS: dict[Kind, tuple[str, ...]] = {
    "dense": ("model", "data", "train"),
    "control": ("model", "data", "train", "retrain"),
    "pruned": ("model", "data", "train", "prune", "retrain"),
}
_SAME = 1e-6


@dataclass(frozen=True)
class Cell:
    """One arm with one seed, at one operating point or at all that its rounds pass through.

    ``ratios`` maps the number of a round to the ratio asked of it; None is the recipe's own amount. A dense network
    counts as round 0. ``densities`` is the recipe whose share of weights per layer a random choice takes over.
    """

    arm: str
    kind: Kind
    seed: int
    recipe: Recipe
    ratios: dict[int, float | None]
    densities: Recipe | None = None

    @property
    def key(self) -> str:
        """The hash of everything that decides the result."""
        facts: dict[str, Any] = recipe_facts(self.recipe, *_PART_KEYS[self.kind])
        facts |= {"kind": self.kind, "ratios": sorted(self.ratios.items()), "code": _code()}
        facts |= computed_with()
        if self.kind == "control":
            facts["phases"] = list(phases_of(self.recipe))
        if self.densities is not None:
            facts["densities"] = self.densities.prune.model_dump(mode="json")
        return hash_json(facts)


@cache
def _code() -> str:
    return hash_own_code(*_CODE)


def study_cells(study: Study, seeds: Sequence[int]) -> list[Cell]:
    """Return the cells in the order they are computed: seed by seed, arm by arm.

    Raises:
        UserError: an arm does not make a valid recipe, or its rounds do not pass through its ratios.
    """
    return [cell for seed in seeds for arm in study.arm for cell in _arm_cells(study, arm, seed)]


def computed_with() -> dict[str, Any]:
    """Return what decides how sums are rounded: the libraries, and into how many threads' parts sums are split."""
    return package_versions("torch", "numpy") | {"threads": torch.get_num_threads()}


def dense_facts(recipe: Recipe) -> dict[str, Any]:
    """Return what decides the dense network that a recipe trains."""
    facts = recipe_facts(recipe, "model", "data", "train") | computed_with()
    return facts | {"keeps_epoch": kept_epoch(recipe)}


def rounds_of(recipe: Recipe) -> int:
    """Return how many rounds the recipe prunes in."""
    return len(_amounts(recipe))


def phases_of(recipe: Recipe) -> range:
    """Return the numbers of the rounds that retrain: all, or only the last where masks rise while one phase trains."""
    rounds = rounds_of(recipe)
    return range(1 if recipe.prune.every == "round" else rounds, rounds + 1)


def _arm_cells(study: Study, arm: Arm, seed: int) -> Iterator[Cell]:
    ratios = study.ratios if arm.ratios is None else arm.ratios
    if arm.kind == "dense":
        yield from _dense_cells(study, arm, seed)
    elif not ratios:
        recipe = arm_recipe(study, arm, seed, None)
        yield Cell(arm.name, arm.kind, seed, recipe, {rounds_of(recipe): None})
    elif arm.points == "rounds":
        recipe = arm_recipe(study, arm, seed, ratios[-1])
        yield Cell(arm.name, arm.kind, seed, recipe, _rounds_of_ratios(study, arm, recipe, ratios))
    elif arm.kind == "control":
        # Nothing is pruned, so that every ratio gets the same network: one cell stands for all.
        recipe = arm_recipe(study, arm, seed, ratios[-1])
        yield Cell(arm.name, arm.kind, seed, recipe, {rounds_of(recipe): None})
    else:
        for ratio in ratios:
            recipe = arm_recipe(study, arm, seed, ratio)
            _check_unit(study, arm, recipe)
            densities = None
            if arm.densities_of is not None:
                densities = arm_recipe(study, study.named(arm.densities_of), seed, ratio)
            yield Cell(arm.name, arm.kind, seed, recipe, {rounds_of(recipe): ratio}, densities)


def _dense_cells(study: Study, arm: Arm, seed: int) -> Iterator[Cell]:
    # Nothing is pruned: the ratio is only there because a recipe must name an amount.
    unused = study.ratios[-1] if study.ratios else None
    if not arm.at:
        yield Cell(arm.name, arm.kind, seed, arm_recipe(study, arm, seed, unused), {0: None})
    for ratio, changes in arm.at.items():
        yield Cell(arm.name, arm.kind, seed, arm_recipe(study, arm, seed, unused, changes), {0: float(ratio)})


def _rounds_of_ratios(study: Study, arm: Arm, recipe: Recipe, ratios: Sequence[float]) -> dict[int, float | None]:
    _check_unit(study, arm, recipe)
    amounts = dict(enumerate(_amounts(recipe), 1))
    reached = {number: 1 / (1 - amounts[number]) for number in phases_of(recipe)}
    found: dict[int, float | None] = {}
    for ratio in ratios:
        number = next((number for number, other in reached.items() if abs(other / ratio - 1) < _SAME), None)
        if number is None:
            passed = ", ".join(f"{other:.3g}" for other in reached.values())
            raise UserError(
                f"study {study.name}, arm {arm.name!r}: ratios: no round reaches {ratio:g}x; the rounds of "
                f"prune.schedule {recipe.prune.schedule!r} pass through {passed}"
            )
        found[number] = ratio
    return found


def _amounts(recipe: Recipe) -> tuple[float, ...]:
    return planned_amounts(recipe.prune.schedule, recipe.prune.amount, recipe.prune.rounds)


def _check_unit(study: Study, arm: Arm, recipe: Recipe) -> None:
    if recipe.prune.granularity == "channel" and recipe.prune.unit != "parameters":
        raise UserError(
            f"study {study.name}, arm {arm.name!r}: ratios count weights; set prune.unit to 'parameters' for channels"
        )
