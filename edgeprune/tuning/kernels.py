"""The distinct kernels of a network, as tuning tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tvm
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.analysis import estimate_tir_flops
from tvm.s_tir.meta_schedule.relax_integration import extract_tasks

from edgeprune.lowering import Lowered, task_module, tvm_target
from edgeprune.target import Target


@dataclass(frozen=True)
class Kernel:
    """One kernel: ``module["main"]`` unscheduled, how often an inference calls it, and a rough size of its work.

    ``workload`` is the structural hash records are found by; ``operations`` counts arithmetic, ``traffic`` the bytes
    of all arguments; ``reduces`` tells a kernel with a reduction from one that only moves or maps elements.
    """

    name: str
    calls: int
    module: tvm.IRModule
    workload_document: tuple[str, str]
    operations: float
    traffic: int
    reduces: bool

    @property
    def workload(self) -> str:
        """Return the structural hash."""
        return self.workload_document[0]


def extract_kernels(lowered: Lowered, target: Target) -> list[Kernel]:
    """Return the distinct kernels of ``lowered`` in a fixed order: by name, then hash."""
    tasks = extract_tasks(task_module(lowered), tvm_target(target))
    kernels = [_kernel(str(task.task_name), int(task.weight), task.dispatched[0]) for task in tasks]
    return sorted(kernels, key=lambda kernel: (kernel.name, kernel.workload))


def _kernel(name: str, calls: int, module: tvm.IRModule) -> Kernel:
    workload, text = ms.database.Workload(module).as_json()
    return Kernel(
        name=name,
        calls=calls,
        module=module,
        workload_document=(workload, text),
        operations=float(estimate_tir_flops(module)),
        traffic=sum(_bytes(parameter) for parameter in module["main"].params),
        reduces=_reduces(module),
    )


def _bytes(buffer: tvm.ir.Expr) -> int:
    return int(np.prod([int(extent) for extent in buffer.shape], dtype=np.int64)) * np.dtype(str(buffer.dtype)).itemsize


def _reduces(module: tvm.IRModule) -> bool:
    schedule = tvm.s_tir.Schedule(module)
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    reduction = tvm.tirx.IterVar.CommReduce
    return any(axis.iter_type == reduction for block in blocks for axis in schedule.get(block).iter_vars)
