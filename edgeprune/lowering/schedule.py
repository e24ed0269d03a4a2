"""Giving every kernel its loops: a tuned schedule where there is a record, the default one elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tvm
from tvm import tirx
from tvm.relax import transform
from tvm.s_tir import meta_schedule

from edgeprune.errors import StageFailure, UserError
from edgeprune.lowering.default_schedule import default_schedule
from edgeprune.lowering.llvm_target import tvm_target
from edgeprune.lowering.model import Lowered, TensorSpec, task_module
from edgeprune.lowering.parallel import parallelise, speedup
from edgeprune.lowering.work import Work, kernel_work
from edgeprune.progress import Progress, SilentProgress
from edgeprune.target import Target

_WORKLOADS = "database_workload.json"
_RECORDS = "database_tuning_record.json"
# The suffix that SplitLayoutRewritePreproc gives to a kernel whose weights it has moved out.
_PREPACKED = "_prepacked"
# A tuned schedule is hardly ever faster than the default one by more, on one thread.
_SHARED_BETTER = 1.25


@dataclass(frozen=True)
class Scheduled:
    """A lowered network whose kernels have loops, weights already in the layout these loops read.

    ``tuned`` says for every kernel whether its schedule came from a tuning record, ``work`` what one call computes;
    ``call_nodes`` are the ONNX nodes of each of its calls, in order.
    """

    module: tvm.IRModule
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    onnx_sha256: str
    kernel_nodes: dict[str, tuple[str, ...]]
    tuned: dict[str, bool]
    work: dict[str, Work]
    call_nodes: dict[str, tuple[tuple[str, ...], ...]]


def schedule(
    lowered: Lowered, target: Target, records: Path | None = None, *, progress: Progress | None = None
) -> Scheduled:
    """Return ``lowered`` with every kernel scheduled for ``target``, shared by its threads where that pays.

    ``records`` is a directory with a MetaSchedule JSON database made from `task_module` of the same network for the
    same CPU (the database itself does not check the CPU).

    Raises:
        UserError: ``records`` holds no database.
        StageFailure: a pass of TVM failed.
    """
    progress = progress or SilentProgress()
    compiled_for = tvm_target(target)
    module = task_module(lowered)
    untouched = _kernels(module)
    try:
        with compiled_for:
            replayed = {} if records is None else _replayed(module, _database(records))
            module = _with_loops(module, replayed, target.threads, progress)
            if target.threads > 1 and replayed:
                defaults = _with_loops(task_module(lowered), {}, target.threads, progress)
                unshared = _better_shared(defaults, module, target.threads)
                if unshared & replayed.keys():
                    replayed = {name: found for name, found in replayed.items() if name not in unshared}
                    module = _with_loops(task_module(lowered), replayed, target.threads, progress)
    except (tvm.error.InternalError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise StageFailure(f"scheduling for {target.name}: {reason[-1]}") from error
    kept = {name: name.removesuffix(_PREPACKED) in replayed for name in _kernels(module)}
    original = {name: name.removesuffix(_PREPACKED) for name in kept}
    return Scheduled(
        module,
        lowered.inputs,
        lowered.outputs,
        lowered.onnx_sha256,
        kernel_nodes={name: lowered.kernel_nodes.get(before, ()) for name, before in original.items()},
        tuned=kept,
        work={name: kernel_work(untouched[before]) for name, before in original.items()},
        call_nodes={name: _nodes_of_calls(lowered, before) for name, before in original.items()},
    )


def _nodes_of_calls(lowered: Lowered, kernel: str) -> tuple[tuple[str, ...], ...]:
    return tuple(nodes for called, nodes in lowered.calls if called == kernel)


def _passes() -> list[tvm.ir.transform.Pass]:
    return [
        # What a schedule does to weights becomes a function of its own, computed here and now.
        transform.SplitLayoutRewritePreproc(),
        transform.FoldConstant(),
        transform.CanonicalizeBindings(),
        transform.DeadCodeElimination(),
    ]


def _share(module: tvm.IRModule, threads: int) -> tvm.IRModule:
    if threads == 1:
        return module
    shared = tvm.IRModule(dict(module.functions), attrs=module.attrs)
    for name, function in _kernels(module).items():
        shared.update_func(module.get_global_var(name), parallelise(function, threads))
    return shared


def _kernels(module: tvm.IRModule) -> dict[str, tirx.PrimFunc]:
    named = {variable.name_hint: function for variable, function in module.functions.items()}
    return {name: function for name, function in sorted(named.items()) if isinstance(function, tirx.PrimFunc)}


def _database(directory: Path) -> meta_schedule.database.Database:
    workloads, records = directory / _WORKLOADS, directory / _RECORDS
    for path in (workloads, records):
        if not path.is_file():
            raise UserError(f"{path}: no such file; 'tune' makes it")
    for path in (workloads, records):
        _check_lines(path)
    return meta_schedule.database.JSONDatabase(str(workloads), str(records), module_equality="structural")


def _check_lines(path: Path) -> None:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            json.loads(line)
        except ValueError:
            raise UserError(f"{path}: line {number} is damaged; remove it or tune again") from None


def _replayed(module: tvm.IRModule, database: meta_schedule.database.Database) -> dict[str, tirx.PrimFunc]:
    """Return the kernels that ``database`` has a record of, with the fastest one's loops."""
    before = _kernels(module)
    with database:
        after = _kernels(transform.MetaScheduleApplyDatabase(enable_warning=False)(module))
    return {name: function for name, function in after.items() if not function.same_as(before[name])}


def _with_loops(
    module: tvm.IRModule, replayed: Mapping[str, tirx.PrimFunc], threads: int, progress: Progress
) -> tvm.IRModule:
    """Return ``module`` with all kernels scheduled, those that are not among ``replayed`` by default, and shared."""
    result = tvm.IRModule(dict(module.functions), attrs=module.attrs)
    missing = [name for name in _kernels(module) if name not in replayed]
    for name, function in replayed.items():
        result.update_func(module.get_global_var(name), function)
    progress.stage("default schedules", len(missing))
    for name in missing:
        variable = module.get_global_var(name)
        result.update_func(variable, default_schedule(module[variable], tvm.target.Target.current()))
        progress.advance(name)
    return _share(tvm.ir.transform.Sequential(_passes())(result), threads)


def _better_shared(defaults: tvm.IRModule, tuned: tvm.IRModule, threads: int) -> set[str]:
    """Return the kernels that ``threads`` share better with their default schedule than with the tuned one.

    A record was timed on one thread, and says nothing of how well its loops can be shared.
    """
    by_default, by_record = (
        {name.removesuffix(_PREPACKED): speedup(function, threads) for name, function in _kernels(module).items()}
        for module in (defaults, tuned)
    )
    return {name for name, gain in by_record.items() if by_default.get(name, 1.0) > _SHARED_BETTER * gain}
