"""Every other pixel written as pooling, for converters that have no strided slice.

A slice from 0 to the end in steps of s along one image axis is a pooling of windows of 1 in strides of s: the same
values, exactly. ResNet-20's shortcuts without weights (He et al. 2016, option A) consist of two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import helper, numpy_helper

_IMAGE_AXES = (2, 3)


def write_with_pooling(network: Path, out: Path) -> int:
    """Write ``network`` to ``out`` with its strided slices as poolings, and return how many there were."""
    model = onnx.load(network)
    constants = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    found = 0
    for index, node in enumerate(model.graph.node):
        if node.op_type != "Slice":
            continue
        values = [constants[name].tolist() for name in node.input[1:] if name in constants]
        stride = _stride(values) if len(values) == len(node.input) - 1 else None
        if stride is not None:
            pooling = helper.make_node(
                "MaxPool", node.input[:1], node.output, name=node.name, kernel_shape=[1, 1], strides=stride
            )
            model.graph.node[index].CopyFrom(pooling)
            found += 1
    onnx.save(model, out)
    return found


def _stride(values: Sequence[list[int]]) -> list[int] | None:
    """Return the strides of rows and columns for ``starts, ends, axes, steps``, ``None`` if it is another slice."""
    if len(values) != 4 or any(len(value) != 1 for value in values):
        return None
    [start], [end], [axis], [step] = values
    whole = start == 0 and end > 2**30
    if not whole or axis not in _IMAGE_AXES or step < 2:
        return None
    return [step if axis == image_axis else 1 for image_axis in _IMAGE_AXES]
