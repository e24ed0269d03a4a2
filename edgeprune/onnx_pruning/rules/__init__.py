"""How each ONNX operator passes labels on."""

from edgeprune.onnx_pruning.rules.elementwise import ELEMENTWISE_RULES
from edgeprune.onnx_pruning.rules.layers import LAYER_RULES
from edgeprune.onnx_pruning.rules.movement import MOVEMENT_RULES
from edgeprune.onnx_pruning.rules.space import SPACE_RULES
from edgeprune.onnx_pruning.tracer import Rule

RULES: dict[str, Rule] = {**ELEMENTWISE_RULES, **LAYER_RULES, **MOVEMENT_RULES, **SPACE_RULES}

__all__ = ["RULES"]
