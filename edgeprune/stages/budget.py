"""Budget: how much must go so that the pruned network fits what a board has for it.

Time, size and memory follow from the network's shapes, not from its weights; so they are found before any retraining,
by building what a share of the recipe's pruning leaves and running it on the board.
"""

from __future__ import annotations

import json
from pathlib import Path

from edgeprune.errors import UserError
from edgeprune.pipeline.stage import write_json
from edgeprune.progress import Progress
from edgeprune.recipe import Budget, Limit, Recipe
from edgeprune.stages.budget_probe import Probe, Prober
from edgeprune.stages.budget_search import HALVINGS, least_share
from edgeprune.stages.within_budget import RESULT
from edgeprune.target import Target

_PROBES = "probes.json"
_WORDS: dict[Limit, str] = {"latency_us": "us", "size_kb": "kB of weights and code", "memory_kb": "kB of memory"}


def choose_amount(recipe: Recipe, budget: Budget, weights: Path, target: Target, out: Path, progress: Progress) -> None:
    """Write ``budget.json`` to ``out``: the least share of the recipe's pruning that is within ``budget``.

    Every override's amount takes the same share. Goes on with the networks that were tried before it was killed.

    Raises:
        UserError: the whole amount is not enough, or the dense network is within the budget already.
        StageFailure: the board cannot be reached, or gives no time where one is asked for.
    """
    prober = Prober(recipe, budget, weights, target, _read(out / _PROBES), progress)
    progress.stage(f"budget on {target.name}", HALVINGS + 2)

    def within(share: float) -> bool:
        found = prober.probe(share)
        write_json(out / _PROBES, [probe.as_dict() for probe in prober.probes])
        over = found.over(budget.limits)
        progress.advance(f"amount {share * recipe.prune.amount:.3f}: {found}{_too_much(over)}")
        return not over

    if not within(1.0):
        raise UserError(_unreachable(recipe, budget, target, prober.probe(1.0)))
    if within(0.0):
        raise UserError(
            f"budget: {target.name}: the network is within it unpruned ({prober.probe(0.0)}); take [budget] out, or "
            "lower it"
        )
    share = least_share(within)
    amount, chosen = share * recipe.prune.amount, prober.probe(share)
    progress.note(f"budget: prune.amount {amount:.3f} of at most {recipe.prune.amount:g}: {target.name} {chosen}")
    found = {"target": target.name, "limits": budget.limits, "share": share, "amount": amount}
    write_json(out / RESULT, {**found, "probes": [probe.as_dict() for probe in prober.probes]})
    (out / _PROBES).unlink()


def _read(path: Path) -> list[Probe]:
    if not path.is_file():
        return []
    return [Probe(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def _too_much(over: dict[Limit, float]) -> str:
    return f"; over {', '.join(over)}" if over else "; within"


def _unreachable(recipe: Recipe, budget: Budget, target: Target, most: Probe) -> str:
    over = ", ".join(
        f"budget.{key}: {value:.4g} {_WORDS[key]} against {budget.limits[key]:g}"
        for key, value in most.over(budget.limits).items()
    )
    return (
        f"{over}, on {target.name} with all that prune.amount = {recipe.prune.amount:g} takes away; raise prune.amount "
        "(and overrides), or the budget"
    )
