"""What a network does in training mode alone, which a graph traced in evaluation mode does not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from edgeprune.evaluation_mode import evaluation_mode
from edgeprune.pruning.kept_modules import KEPT_MODULES
from edgeprune.pruning.plan import Plan

_KEPT_FUNCTIONS = frozenset(
    {"dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"}
)
"""Functions that become such modules; called by torch's own functions (attention) they do not."""

_KEY = "edgeprune_training_only"
_Call = tuple[str, str, str]


def training_only(model: nn.Module, inputs: tuple[Tensor, ...], kept: Collection[str]) -> tuple[str, ...]:
    """Return a line for each kind of module whose operators differ in training mode; ``kept`` are modules left aside.

    The network runs once in either mode, without gradients and with its buffers put back. Batch normalisations and
    dropouts, which stay modules, evaluate both times.
    """
    aside = [module for path, module in model.named_modules() if path in kept or isinstance(module, KEPT_MODULES)]
    try:
        with evaluation_mode(model), _buffers_kept(model):
            before = _calls(model, inputs)
            model.train()
            for module in aside:
                module.eval()
            after = _calls(model, inputs)
    except Exception as error:  # whatever a network raises that wants more in training, such as targets
        lines = str(error).strip().splitlines() or [""]
        return (f"what training mode does besides is not in the graph: {type(error).__name__}: {lines[0][:200]}",)
    return tuple(_lines(model, after - before))


def carry(compact: fx.GraphModule, lines: tuple[str, ...]) -> None:
    """Leave with a graph module what it lacks; copies of it have that, too."""
    compact.meta[_KEY] = lines


def training_notes(compact: nn.Module) -> tuple[str, ...]:
    """Return what a compact network lost that only training does: nothing, unless it is a graph module."""
    return tuple(compact.meta.get(_KEY, ())) if isinstance(compact, fx.GraphModule) else ()


def with_training_notes(plan: Plan, compact: nn.Module) -> Plan:
    """Return the plan with what its compact network lost among its notes."""
    return replace(plan, notes=tuple(dict.fromkeys((*plan.notes, *training_notes(compact)))))


def _lines(model: nn.Module, lost: Counter[_Call]) -> Iterator[str]:
    """Yield a line per kind of module: which operators, and where."""
    kinds = {path: type(module).__name__ for path, module in model.named_modules()}
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for path, name, _ in lost:
        places, names = found.setdefault(kinds[path], ({}, {}))
        places[path or "the network itself"] = None
        names[name] = None
    for kind, (places, names) in found.items():
        others = f" and {len(places) - 1} more" if len(places) > 1 else ""
        yield (
            f"the compact network is a graph and lacks what {kind} ({next(iter(places))}{others}) does in training "
            f"only: {', '.join(names)}"
        )


def _calls(model: nn.Module, inputs: tuple[Tensor, ...]) -> Counter[_Call]:
    """Count the operators of one run by module, name and what is not a tensor among their arguments."""
    counted = _Counted()
    with _paths(model, counted.path), torch.no_grad(), torch.random.fork_rng(devices=[]), _Undropped(), counted:
        model(*(value.clone() for value in inputs))
    return counted.calls


class _Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operators, in the module that runs."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: Counter[_Call] = Counter()
        self.path: list[str] = [""]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        told = [value for value in (*args, *(kwargs or {}).values()) if isinstance(value, (bool, float))]
        self.calls[self.path[-1], func._schema.name.split("::")[-1], repr(told)] += 1
        return func(*args, **(kwargs or {}))


class _Undropped(TorchFunctionMode):
    """Lets dropouts that become modules do nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if getattr(func, "__name__", "") in _KEPT_FUNCTIONS:
            return args[0] if args else kwargs["input"]
        return func(*args, **kwargs)


@contextmanager
def _buffers_kept(model: nn.Module) -> Iterator[None]:
    """Put back what the block writes into buffers, and buffers that it replaces."""
    before = [
        (module, name, buffer, buffer._version, buffer.clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    try:
        yield
    finally:
        for module, name, buffer, version, value in before:
            module._buffers[name] = buffer
            if buffer._version != version:
                with torch.no_grad():
                    buffer.copy_(value)


@contextmanager
def _paths(model: nn.Module, stack: list[str]) -> Iterator[None]:
    """Keep the name of the module that runs at the end of ``stack``."""

    def enter(path: str) -> Callable[..., None]:
        return lambda *_: stack.append(path)

    def leave(*_: Any) -> None:
        stack.pop()

    hooks = []
    for path, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(enter(path), prepend=True))
        hooks.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
