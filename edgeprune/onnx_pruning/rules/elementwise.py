"""Operators that compute each element from the elements at its place."""

from __future__ import annotations

import onnx

from edgeprune.onnx_pruning.tracer import Axes, Rule, Tracer

UNARY = (
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "BitShift",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Cosh",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "IsInf",
    "IsNaN",
    "LeakyRelu",
    "Log",
    "Mish",
    "Neg",
    "Not",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Swish",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
)
NARY = (
    "Add",
    "And",
    "Div",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Max",
    "Mean",
    "Min",
    "Mod",
    "Mul",
    "Or",
    "PRelu",
    "Pow",
    "Sub",
    "Sum",
    "Where",
    "Xor",
)


def joined(tracer: Tracer, names: list[str], shape: tuple[int, ...]) -> Axes:
    """Join operands that are broadcast to ``shape`` and return the labels of the result."""
    result: Axes = []
    layouts = [tracer.axes(name) for name in names]
    for axis in range(len(shape)):
        here = [layout[axis - len(shape)] for layout in layouts if len(layout) >= len(shape) - axis]
        full = [labels for labels in here if len(labels) == shape[axis]]
        for labels in full[1:]:
            tracer.labels.join(full[0], labels)
        result.append(full[0] if full else tracer.labels.fresh(shape[axis]))
    return result


def _unary(tracer: Tracer, node: onnx.NodeProto) -> None:
    for name in node.output:
        if name:
            tracer.give(name, tracer.axes(node.input[0]))
    tracer.pin_rest(node, 1)


def _nary(tracer: Tracer, node: onnx.NodeProto) -> None:
    tracer.give(node.output[0], joined(tracer, list(node.input), tracer.shape(node.output[0])))


ELEMENTWISE_RULES: dict[str, Rule] = {**dict.fromkeys(UNARY, _unary), **dict.fromkeys(NARY, _nary)}
