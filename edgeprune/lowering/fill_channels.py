"""Tensors between kernels whose channels fill whole vectors, whatever number pruning has left.

A pixel of 13 channels begins anywhere in a vector: loads and stores cross the lines of the cache, and the last channels
go one by one. So the result of a convolution that another one reads gets channels up to the next multiple of a vector
register, and what comes between the two (activations, residual sums, pooling, depthwise convolutions) keeps them. What
these channels hold is never read by a sum; operations that know nothing of them are given the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np
import tvm
from tvm import relax, te, topi

from edgeprune.lowering.convolution import Dense, Window, emit_direct, emit_winograd
from edgeprune.lowering.pointwise import emit_pointwise, spare_pixels
from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.lowering.winograd import Shape
from edgeprune.lowering.winograd_plan import winograd_shape

_IMAGE_RANK = 4
_CONVOLUTION = "relax.nn.conv2d"
_TRANSPOSITION = "relax.permute_dims"
_TO_CHANNELS_LAST, _TO_CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_UNARY = frozenset(
    f"relax.{name}"
    for name in ("nn.relu", "nn.silu", "nn.gelu", "nn.leakyrelu", "sigmoid", "tanh", "exp", "abs", "negative", "erf")
)
_BINARY = frozenset(f"relax.{name}" for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum"))
_POOLS = frozenset(("relax.nn.max_pool2d", "relax.nn.avg_pool2d"))
_OVER_PIXELS = frozenset(("relax.mean", "relax.max", "relax.sum"))


def fill_channels(module: tvm.IRModule, sizes: Mapping[Shape, int], unit: VectorUnit) -> tvm.IRModule:
    """Return ``module`` with the channels of ``main``'s images filled up where a convolution gains from it.

    ``module`` has images in NHWC and weights as constants; ``unit`` holds its precision. Convolutions of one group that
    read or write such images become kernels here, and so do those by Winograd's method, by tiles of ``sizes``, and
    those of 1x1 that gain from a spare pixel.
    """
    filler = _Filler(module, sizes, unit, frozenset(_useful(module["main"])))
    filled = filler.visit_expr(module["main"])
    filler.builder_.update_func(module.get_global_var("main"), filled)
    return filler.builder_.get()


def _bindings(main: relax.Function) -> list[relax.VarBinding]:
    return [binding for block in main.body.blocks for binding in block.bindings]


def _useful(main: relax.Function) -> Iterator[relax.Var]:
    """Yield the variables that are read where whole vectors are a gain: by a convolution, or the last transposition."""
    wanted: set[relax.Var] = set()
    for binding in reversed(_bindings(main)):
        value = binding.value
        if not isinstance(value, relax.Call):
            continue
        moves_many = _moves(value, _TO_CHANNELS_FIRST) and prod(int(extent) for extent in list(value.ty.shape)[2:]) > 1
        if _is_plain(value) or _is_depthwise(value) or moves_many:
            wanted.add(value.args[0])
        elif binding.var in wanted and _keeps_channels(value):
            wanted.update(operand for operand in value.args if isinstance(operand, relax.Var))
    yield from wanted


def _name(call: relax.Call) -> str:
    return str(getattr(call.op, "name", ""))


def _is_image(value: relax.Expr) -> bool:
    kind = getattr(value, "ty", None)
    return isinstance(kind, relax.TensorType) and kind.ndim == _IMAGE_RANK and kind.dtype in ("float32", "float16")


def _channels(value: relax.Expr) -> int:
    return int(value.ty.shape[-1])


def _is_constant(value: relax.Expr) -> bool:
    return isinstance(value, tvm.ir.expr.GenericConst)


def _is_plain(call: relax.Call) -> bool:
    """Whether ``call`` is a convolution of one group with known weights."""
    return _is_known_convolution(call) and int(call.attrs.groups) == 1


def _is_depthwise(call: relax.Call) -> bool:
    if not _is_known_convolution(call):
        return False
    *_, per_group, outputs = (int(extent) for extent in call.args[1].ty.shape)
    return per_group == 1 and int(call.attrs.groups) == outputs == _channels(call.args[0]) > 1


def _is_known_convolution(call: relax.Call) -> bool:
    if _name(call) != _CONVOLUTION or not _is_constant(call.args[1]) or not _is_image(call):
        return False
    layouts = (call.attrs.data_layout, call.attrs.out_layout, call.attrs.kernel_layout)
    return layouts == ("NHWC", "NHWC", "HWIO")


def _moves(call: relax.Call, axes: list[int]) -> bool:
    is_move = _name(call) == _TRANSPOSITION and _is_image(call) and call.attrs.axes is not None
    return is_move and [int(axis) for axis in call.attrs.axes] == axes


def _keeps_channels(call: relax.Call) -> bool:
    """Whether each channel of the result is made from the same channel of all images that ``call`` takes."""
    name = _name(call)
    if not _is_image(call):
        return False
    if name in _POOLS:
        return bool(call.attrs.layout == call.attrs.out_layout == "NHWC")
    if name in _OVER_PIXELS:
        axes = call.attrs.axis
        return axes is not None and sorted(int(axis) for axis in axes) == [1, 2] and bool(call.attrs.keepdims)
    if name in _BINARY:
        return all(_is_constant(operand) or _is_image(operand) for operand in call.args)
    return name in _UNARY or _is_depthwise(call)


@relax.expr_functor.mutator
class _Filler(relax.PyExprMutator):  # type: ignore[misc]
    """Rebuilds ``main``; a variable whose new type has more channels than its old one is filled up."""

    def __init__(
        self, module: tvm.IRModule, sizes: Mapping[Shape, int], unit: VectorUnit, useful: frozenset[relax.Var]
    ) -> None:
        super().__init__(module)
        self._sizes = sizes
        self._unit = unit
        self._useful = useful
        self._fills = False

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        self._fills = binding.var in self._useful
        super().visit_var_binding_(binding)

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        operands = [self.visit_expr(operand) for operand in call.args]
        fills = self._fills and _is_image(call) and self._missing(_channels(call)) > 0
        if _is_plain(call):
            return self._dense(call, operands[0], fills)
        if fills and _is_depthwise(call):
            return self._depthwise(call, operands[0])
        if fills and _moves(call, _TO_CHANNELS_LAST) and _channels(call) > self._lanes:
            return self._padded(self.builder_.emit(_with_operands(call, operands)), _channels(call))
        if fills and _keeps_channels(call) and any(map(_is_filled, call.args, operands)):
            return self._element_wise(call, operands)
        if _moves(call, _TO_CHANNELS_FIRST) and _is_filled(call.args[0], operands[0]):
            return self._real_channels_first(call, operands[0])
        return _with_operands(call, list(map(self._real, call.args, operands)))

    @property
    def _lanes(self) -> int:
        return int(self._unit.lanes[0])

    def _missing(self, channels: int) -> int:
        return -channels % self._lanes if channels > 1 else 0

    def _dense(self, call: relax.Call, data: relax.Expr, fills: bool) -> relax.Expr:
        weights = call.args[1].value.numpy()
        outputs = int(weights.shape[-1])
        kept = outputs + self._missing(outputs) if fills else outputs
        convolution = Dense(weights, Window.of(call), kept)
        shape = winograd_shape(call)
        if shape is not None and shape in self._sizes:
            return emit_winograd(self.builder_, data, convolution, self._sizes[shape], self._unit)
        source = self._channels_first(data)
        if source is not None:
            return emit_direct(self.builder_, source, replace(convolution, channels_first=True), self._unit)
        spare = spare_pixels(data, convolution, self._unit)
        if spare:
            return emit_pointwise(self.builder_, data, convolution, spare, self._unit)
        if kept == outputs and not _is_filled(call.args[0], data):
            return _with_operands(call, [data, call.args[1]])
        return emit_direct(self.builder_, data, convolution, self._unit)

    def _channels_first(self, data: relax.Expr) -> relax.Expr | None:
        """Return of what ``data`` is a transposition, if it has channels too few to fill a vector.

        A kernel that reads its input number by number may as well read planes; their rows are padded as vectors.
        """
        bound = self.lookup_binding(data) if isinstance(data, relax.Var) else None
        if not isinstance(bound, relax.Call) or not _moves(bound, _TO_CHANNELS_LAST):
            return None
        return bound.args[0] if 1 < _channels(data) < self._lanes else None

    def _depthwise(self, call: relax.Call, data: relax.Expr) -> relax.Expr:
        channels = _channels(call)
        kept = channels + self._missing(channels)
        attributes = call.attrs
        return relax.op.nn.conv2d(
            self._filled(call.args[0], data),
            _filled_constant(call.args[1], kept),
            strides=attributes.strides,
            padding=attributes.padding,
            dilation=attributes.dilation,
            groups=kept,
            data_layout="NHWC",
            kernel_layout="HWIO",
            out_layout="NHWC",
            out_dtype=attributes.out_dtype,
        )

    def _element_wise(self, call: relax.Call, operands: Sequence[relax.Expr]) -> relax.Expr:
        channels = _channels(call)
        filled = []
        for before, now in zip(call.args, operands, strict=True):
            if _is_constant(before):
                same = before.ty.ndim > 0 and _channels(before) == channels
                filled.append(_filled_constant(before, channels + self._missing(channels)) if same else before)
            else:
                filled.append(self._filled(before, now) if _channels(before) == channels else now)
        return _with_operands(call, filled)

    def _filled(self, before: relax.Expr, now: relax.Expr) -> relax.Expr:
        return now if _is_filled(before, now) else self._padded(now, _channels(now))

    def _padded(self, value: relax.Expr, channels: int) -> relax.Expr:
        after = [0] * (_IMAGE_RANK - 1) + [self._missing(channels)]
        return self._emit(lambda data: topi.nn.pad(data, [0] * _IMAGE_RANK, after), value, "fill_channels")

    def _real(self, before: relax.Expr, now: relax.Expr) -> relax.Expr:
        """Return ``now`` without the channels that ``before`` did not have."""
        if isinstance(before, relax.Tuple):
            return relax.Tuple([self._real(*pair) for pair in zip(before.fields, now.fields, strict=True)])
        if not isinstance(before, relax.Var) or not _is_filled(before, now):
            return now
        shape = [int(extent) for extent in before.ty.shape]

        def sliced(data: te.Tensor) -> te.Tensor:
            return te.compute(shape, lambda *place: data[place], name="real_part", tag="injective")

        return self._emit(sliced, now, "real_channels")

    def _real_channels_first(self, call: relax.Call, data: relax.Expr) -> relax.Expr:
        shape = [int(extent) for extent in call.ty.shape]

        def moved(image: te.Tensor) -> te.Tensor:
            return te.compute(shape, lambda n, c, y, x: image[n, y, x, c], name="transpose", tag="injective")

        return self.builder_.call_te(moved, data, primfunc_name_hint="transpose")

    def _emit(self, compute: Callable[[te.Tensor], te.Tensor], value: relax.Expr, name: str) -> relax.Var:
        return self.builder_.emit(self.builder_.call_te(compute, value, primfunc_name_hint=name))


def _with_operands(call: relax.Call, operands: Sequence[relax.Expr]) -> relax.Call:
    if all(new.same_as(old) for new, old in zip(operands, call.args, strict=True)):
        return call
    return relax.Call(call.op, list(operands), call.attrs, call.ty_args)


def _is_filled(before: relax.Expr, now: relax.Expr) -> bool:
    return _is_image(before) and _channels(before) != _channels(now)


def _filled_constant(value: relax.Expr, channels: int) -> relax.Expr:
    array = value.value.numpy()
    after = [(0, 0)] * (array.ndim - 1) + [(0, channels - array.shape[-1])]
    return relax.const(np.pad(array, after))
