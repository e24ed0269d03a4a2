"""What is dead in a labelled graph, and what removed constants add to the biases behind them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx

from edgeprune.onnx_pruning.known import Known, find_known
from edgeprune.onnx_pruning.labels import Flags, Indices
from edgeprune.onnx_pruning.runtime import Array, run_node
from edgeprune.onnx_pruning.tracer import Reader, Traced

_ROUNDING = 1e-6
"""Relative difference below which a float32 contribution counts as the same at every position."""


@dataclass(frozen=True)
class Findings:
    """What may go.

    ``alive`` has a flag per label (by root). ``folds`` maps a node's first output to what removed constant channels add
    to each of its output channels, indexed as before the removal. ``blocked`` are reasons, each with the number of
    constant channels that had to stay for it.
    """

    roots: Indices
    alive: Flags
    folds: dict[str, Array]
    blocked: dict[str, int]

    def kept(self, labels: Indices) -> Indices:
        """Return the places of the labels that stay."""
        return np.flatnonzero(self.alive[self.roots[labels]])


@dataclass
class _Reading:
    """What one reader gets from each index: whether it is variable, or constant and why that cannot be folded.

    ``weights`` says which index reaches which output through a weight that is not zero, as flags (groups, inputs per
    group, outputs per group) and the outputs' roots (groups, outputs per group).
    """

    sets: Indices
    live: Flags
    blocked: dict[int, str] = field(default_factory=dict)
    amounts: dict[int, Array] = field(default_factory=dict)
    weights: tuple[Flags, Indices] | None = None


def find_dead(traced: Traced) -> Findings:
    """Find what can go at once: to a fixed point backwards, and as far as constants are known forwards.

    No axis loses its last index.
    """
    roots = traced.labels.roots()
    known = find_known(traced.graph)
    readings = [_read(reader, traced, known, roots) for reader in traced.readers]
    forced = np.zeros(len(roots), dtype=np.bool_)
    forced[list(traced.labels.reasons())] = True
    axes = [roots[labels] for layout in traced.axes.values() for labels in layout if len(labels)]
    while True:
        alive = _spread(readings, forced.copy())
        empty = [sets for sets in axes if not alive[sets].any()]
        if not empty:
            break
        forced[empty[0][0]] = True
    return Findings(roots, alive, _folds(traced, readings, alive), _blocked(readings, alive))


def _spread(readings: list[_Reading], alive: Flags) -> Flags:
    """Mark what reaches something alive, until nothing changes."""
    while True:
        before = int(alive.sum())
        for reading in reversed(readings):
            wanted = _wanted(reading, alive)
            wanted &= reading.live | np.isin(np.arange(len(reading.sets)), list(reading.blocked))
            alive[reading.sets[wanted]] = True
        if int(alive.sum()) == before:
            return alive


def _wanted(reading: _Reading, alive: Flags) -> Flags:
    """Return which indices have a weight that is not zero into an output that is alive."""
    if reading.weights is None:
        return np.ones(len(reading.sets), dtype=np.bool_)
    reaches, outputs = reading.weights
    return np.asarray((reaches & alive[outputs][:, np.newaxis]).any(axis=2)).ravel()


def _read(reader: Reader, traced: Traced, known: Known, roots: Indices) -> _Reading:
    sets = roots[traced.axes[reader.data][reader.axis]]
    data = _along(known.reaches(reader.data), reader.axis)
    unknown = _along(known.unknown_of(reader.data), reader.axis)
    if reader.output_axis is None:
        return _Reading(sets, data & _along(known.reaches(reader.other), reader.other_axis))
    weights = _weights(reader, traced, known, roots)
    reading = _Reading(sets, data & unknown, weights=weights)
    constant = np.flatnonzero(data & ~unknown & weights[0].any(axis=2).ravel())
    for place in constant.tolist():
        amount = _contribution(reader, known, place)
        if amount is None:
            reading.blocked[place] = f"what they add through {reader.other} is not the same at a padded border"
        elif not holds_bias(reader.node, traced):
            reading.blocked[place] = f"{reader.other} has no bias of its own to hold them"
        else:
            reading.amounts[place] = amount
    return reading


def _along(flags: Flags, axis: int) -> Flags:
    """Return for each index of an axis whether any element there is set."""
    return np.asarray(flags.any(axis=tuple(other for other in range(flags.ndim) if other != axis)))


def _weights(reader: Reader, traced: Traced, known: Known, roots: Indices) -> tuple[Flags, Indices]:
    """Return which weights are not zero, and the roots of the outputs, both by group."""
    assert reader.output_axis is not None
    weight = np.moveaxis(known.reaches(reader.other), (reader.other_axis, reader.output_axis), (0, 1))
    flags = np.asarray(weight.reshape(weight.shape[0], weight.shape[1], -1).any(axis=2))
    outputs = roots[traced.axes[reader.other][reader.output_axis]]
    if reader.node.op_type == "ConvTranspose":
        return np.stack(np.split(flags, reader.groups)), np.stack([outputs] * reader.groups)
    return np.stack(np.split(flags, reader.groups, axis=1)), np.stack(np.split(outputs, reader.groups))


def _contribution(reader: Reader, known: Known, place: int) -> Array | None:
    """Return what a constant index adds to each output channel, ``None`` unless it is the same everywhere."""
    assert reader.output_axis is not None
    data = np.take(known.values[reader.data], [place], axis=reader.axis)
    weight = known.values[reader.other]
    inside, per_group = weight.shape[reader.other_axis], weight.shape[reader.output_axis]
    if reader.node.op_type == "ConvTranspose":
        group, piece = place * reader.groups // inside, np.take(weight, [place], axis=0)
    else:
        group, local = divmod(place, inside)
        per_group //= reader.groups
        piece = np.take(weight, [local], axis=reader.other_axis)
        piece = np.take(piece, np.arange(group * per_group, (group + 1) * per_group), axis=reader.output_axis)
    outputs = np.arange(group * per_group, (group + 1) * per_group)
    alone = onnx.NodeProto()
    alone.CopyFrom(reader.node)
    for attribute in alone.attribute:
        if attribute.name == "group":
            attribute.i = 1
    operands: list[Array | None] = [data, piece]
    if reader.node.op_type == "Gemm":
        operands.append(np.zeros(1, dtype=data.dtype))
    added = run_node(alone, operands, known.graph.opset)[0]
    rows = np.moveaxis(added, reader.channel_axis, 0).reshape(per_group, -1)
    if (np.abs(rows - rows[:, :1]) > _ROUNDING * np.abs(rows).max()).any():
        return None
    amount = np.zeros(known.graph.shapes[reader.node.output[0]][reader.channel_axis], dtype=np.float64)
    amount[outputs] = rows.astype(np.float64).mean(axis=1)
    return amount


def holds_bias(node: onnx.NodeProto, traced: Traced) -> bool:
    """Tell whether a node's bias can be changed: convolutions and Gemm can be given one, a MatMul cannot."""
    if node.op_type == "MatMul":
        return following_add(node, traced) is not None
    if len(node.input) < 3 or not node.input[2]:
        return True
    bias = traced.graph.constants.get(node.input[2])
    return bias is not None


def following_add(node: onnx.NodeProto, traced: Traced) -> tuple[onnx.NodeProto, int] | None:
    """Return the only reader of a product and the place of its constant vector, if it is such an addition."""
    users = [other for other in traced.graph.nodes if node.output[0] in other.input]
    if len(users) != 1 or users[0].op_type != "Add" or traced.graph.users()[node.output[0]] != 1:
        return None
    place = 1 - list(users[0].input).index(node.output[0])
    bias = traced.graph.constants.get(users[0].input[place])
    width = traced.graph.shapes[node.output[0]][-1]
    return (users[0], place) if bias is not None and bias.size == width and bias.shape[-1:] == (width,) else None


def _folds(traced: Traced, readings: list[_Reading], alive: Flags) -> dict[str, Array]:
    folds: dict[str, Array] = {}
    for reader, reading in zip(traced.readers, readings, strict=True):
        for place, amount in reading.amounts.items():
            if not alive[reading.sets[place]]:
                key = reader.node.output[0]
                folds[key] = folds.get(key, np.zeros_like(amount)) + amount
    return folds


def _blocked(readings: list[_Reading], alive: Flags) -> dict[str, int]:
    found: dict[str, int] = {}
    for reading in readings:
        wanted = _wanted(reading, alive)
        for place, reason in reading.blocked.items():
            if wanted[place]:
                found[reason] = found.get(reason, 0) + 1
    return found
