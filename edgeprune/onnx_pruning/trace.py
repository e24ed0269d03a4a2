"""Labelling a graph: every operator's rule in turn."""

from __future__ import annotations

from edgeprune.onnx_pruning.graph import Graph, node_name
from edgeprune.onnx_pruning.rules import RULES
from edgeprune.onnx_pruning.tracer import Choices, Traced, Tracer


def trace(graph: Graph, choices: Choices) -> Traced:
    """Label every axis of every tensor of ``graph``."""
    tracer = Tracer(graph, choices)
    for value in graph.inputs:
        tracer.pin(value.name, "the network's input")
    for node in graph.nodes:
        rule = RULES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if rule is None:
            reason = f"operator {node.op_type} has no rule"
            tracer.without_rule.append(f"node {node_name(node)}: {reason}; what it reads and writes stays whole")
            tracer.pin_node(node, reason)
        else:
            rule(tracer, node)
    for value in graph.outputs:
        tracer.pin(value.name, "the network's output")
    return Traced(
        graph, tracer.labels, tracer.layouts, tracer.readers, tracer.fills, tracer.without_rule, tracer.chosen
    )
