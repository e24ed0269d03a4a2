"""Pruning any network: what is coupled, what matters least, and removal that is exact."""

from edgeprune.pruning.compact import compact, compact_like
from edgeprune.pruning.compose import compose
from edgeprune.pruning.coupling import Coupling, trace_coupling
from edgeprune.pruning.criteria import CRITERIA, Evidence
from edgeprune.pruning.dead import eliminate_dead
from edgeprune.pruning.densities import overrides_of
from edgeprune.pruning.make_plan import make_plan
from edgeprune.pruning.masks import Masks, plan_masks
from edgeprune.pruning.optimizer import compact_optimizer
from edgeprune.pruning.plan import LayerPlan, Plan
from edgeprune.pruning.prune import PruneResult, prune
from edgeprune.pruning.saved import load_compact, save_compact
from edgeprune.pruning.sensitivity import LayerCurve, sensitivity_scan
from edgeprune.pruning.size import count_macs, count_parameters
from edgeprune.pruning.training_only import training_notes
from edgeprune.pruning.weights import weight_masks

__all__ = [
    "CRITERIA",
    "Coupling",
    "Evidence",
    "LayerCurve",
    "LayerPlan",
    "Masks",
    "Plan",
    "PruneResult",
    "compact",
    "compact_like",
    "compact_optimizer",
    "compose",
    "count_macs",
    "count_parameters",
    "eliminate_dead",
    "load_compact",
    "make_plan",
    "overrides_of",
    "plan_masks",
    "prune",
    "save_compact",
    "sensitivity_scan",
    "trace_coupling",
    "training_notes",
    "weight_masks",
]
