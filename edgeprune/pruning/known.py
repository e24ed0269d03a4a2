"""What a network computes whatever its input is: constants followed through the graph, position by position."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from edgeprune.pruning.trace import Trace
from edgeprune.pruning.walk import arguments, operator_name

_HIDE_UNKNOWN = {"nan_to_num", "fmax", "fmin", "nanmean", "nansum", "nanmedian"}
_RANDOM = ("rand", "bernoulli", "normal", "uniform", "multinomial", "exponential", "empty", "new_empty")
_WEIGHTED = {"linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"}


def read_by(node: str) -> str:
    """Return the key under which the input of a weighted node is observed, as it was when the node ran."""
    return f"{node}.input"


class KnownValues(fx.Interpreter):
    """Runs the graph on an unknown input: every element of every result is its value, or NaN where it depends on it.

    The rules that need care are those where an unknown does not matter: a weight, a scale or a factor of zero. Padding
    needs none, since the real operators run on the real constants. An unknown that would turn into a truth value or an
    index makes everything computed from it unknown.
    """

    def __init__(self, trace: Trace, tensors: dict[str, Tensor]) -> None:
        super().__init__(fx.GraphModule(nn.Module(), trace.graph), garbage_collect_values=False)
        self._trace = trace
        self._tensors = tensors
        self._poisoned: set[str] = set()
        self._values: dict[str, Tensor] = {}

    def observe(self) -> dict[str, Tensor]:
        """Return what is known of every node's tensor by node name, and of what weighted nodes read (``read_by``)."""
        values = self._values = {}
        self.env: dict[fx.Node, Any] = {}
        with torch.no_grad():
            for node in self._trace.graph.nodes:
                if node.op == "placeholder":
                    self.env[node] = self._placeholder(node)
                elif node.op == "call_function":
                    self.env[node] = self._run(node)
                found = self.env.get(node)
                if isinstance(found, Tensor):
                    values[node.name] = found
        return values

    def _placeholder(self, node: fx.Node) -> Any:
        name = self._trace.tensors.get(node.name)
        if name is not None:
            return self._tensors[name]
        value = node.meta.get("val")
        if not isinstance(value, Tensor):
            return value
        if value.dtype.is_floating_point:
            return torch.full(tuple(value.shape), torch.nan, dtype=torch.float64)
        self._poisoned.add(node.name)
        return torch.zeros(tuple(value.shape), dtype=value.dtype)

    def _run(self, node: fx.Node) -> Any:
        args, kwargs = self.fetch_args_kwargs_from_env(node)
        name = operator_name(node)
        if name in _WEIGHTED:
            result: Any = self._weighted(node, args, kwargs)
        elif name == "batch_norm":
            result = self._batch_norm(node)
        elif name in ("mul", "multiply"):
            result = _product(node, args, kwargs)
        elif _is_random(node, name):
            result = self._nothing_known(node)
        else:
            result = self._plain(node, args, kwargs)
        return self._checked(node, name, result)

    def _plain(self, node: fx.Node, args: Any, kwargs: Any) -> Any:
        """Run the operator itself; one that refuses unknowns or double precision gives an unknown."""
        try:
            result = node.target(*_as_double(args), **_as_double(kwargs))  # type: ignore[operator]
        except (RuntimeError, IndexError, ValueError):
            return self._nothing_known(node)
        return result.double() if isinstance(result, Tensor) and result.is_floating_point() else result

    def _nothing_known(self, node: fx.Node) -> Any:
        self._poisoned.add(node.name)
        return _unknown_like(node.meta["val"])

    def _checked(self, node: fx.Node, name: str, result: Any) -> Any:
        """Make the result unknown where an unknown input may have been hidden."""
        unknown = any(_has_unknown(self.env[argument]) for argument in node.all_input_nodes)
        poisoned = any(argument.name in self._poisoned for argument in node.all_input_nodes)
        if poisoned or (unknown and name in _HIDE_UNKNOWN):
            result = _unknown_like(result)
        if (unknown or poisoned) and not _all_floating(result):
            self._poisoned.add(node.name)
        return result

    def _weighted(self, node: fx.Node, args: Any, kwargs: Any) -> Any:
        """A weighted sum is unknown only where an unknown meets a weight that is not zero."""
        bound = {key: self._value(value) for key, value in arguments(node).items()}
        data, weight, bias = bound.pop("input"), bound.pop("weight"), bound.pop("bias")
        # An operator in place may change the data afterwards.
        changed = any(_in_place(user) for user in arguments(node)["input"].users)
        self._values[read_by(node.name)] = data.clone() if changed else data
        rest = tuple(bound.values())
        known = node.target(data.nan_to_num(0), weight, bias, *rest)  # type: ignore[operator]
        reach = node.target(data.isnan().double(), (weight != 0).double(), None, *rest)  # type: ignore[operator]
        doubt = reach > 0.5
        if bool(weight.isnan().any()):
            return torch.full_like(known, torch.nan)
        return known.masked_fill(doubt, torch.nan)

    def _batch_norm(self, node: fx.Node) -> Any:
        bound = {key: self._value(value) for key, value in arguments(node).items()}
        data = bound["input"]
        if bound["training"] or bound["running_mean"] is None:
            return torch.full_like(data, torch.nan)
        shape = [1, -1, *[1] * (data.ndim - 2)]
        deviation = (bound["running_var"] + bound["eps"]).sqrt()
        centred = (data - bound["running_mean"].reshape(shape)) / deviation.reshape(shape)
        if bound["weight"] is not None:
            scale = bound["weight"].reshape(shape)
            centred = torch.where(scale == 0, torch.zeros_like(centred), centred * scale)
        return centred if bound["bias"] is None else centred + bound["bias"].reshape(shape)

    def _value(self, value: Any) -> Any:
        return self.env[value] if isinstance(value, fx.Node) else value


def _in_place(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and torch.Tag.inplace in node.target.tags


def _product(node: fx.Node, args: Any, kwargs: Any) -> Any:
    """Zero times an unknown is zero."""
    result = node.target(*args, **kwargs)  # type: ignore[operator]
    for factor in args[:2]:
        if isinstance(factor, Tensor):
            result = result.masked_fill((factor == 0).expand_as(result), 0)
        elif factor == 0:
            result = torch.zeros_like(result)
    return result


def _has_unknown(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_has_unknown(entry) for entry in value)
    return isinstance(value, Tensor) and value.is_floating_point() and bool(value.isnan().any())


def _all_floating(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_all_floating(entry) for entry in value)
    return isinstance(value, Tensor) and value.is_floating_point()


def _is_random(node: fx.Node, name: str) -> bool:
    if name.endswith("dropout"):
        return bool(arguments(node).get("train"))
    return name.startswith(
        ("rand", "bernoulli", "normal", "uniform", "multinomial", "exponential", "empty", "new_empty")
    )


def _unknown_like(result: Any) -> Any:
    """Return unknowns in the shapes of a result; what is no floating tensor comes as zeros, to be marked poisoned."""
    if isinstance(result, (list, tuple)):
        return type(result)(_unknown_like(value) for value in result)
    if isinstance(result, Tensor):
        shape = tuple(int(size) for size in result.shape)
        if result.is_floating_point():
            return torch.full(shape, torch.nan, dtype=torch.float64)
        return torch.zeros(shape, dtype=result.dtype)
    return result


def _as_double(value: Any) -> Any:
    """Let casts written in the network keep to double precision."""
    if isinstance(value, (list, tuple)):
        return type(value)(_as_double(entry) for entry in value)
    if isinstance(value, dict):
        return {key: _as_double(entry) for key, entry in value.items()}
    if isinstance(value, torch.dtype) and value.is_floating_point:
        return torch.float64
    return value
