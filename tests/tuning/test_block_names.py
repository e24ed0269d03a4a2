"""A kernel's records serve another network whose nodes bear other numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tvm
from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir import meta_schedule as ms

from edgeprune.lowering import lower, tvm_target
from edgeprune.target import find_target
from edgeprune.tuning.block_names import named_as_in
from edgeprune.tuning.kernels import Kernel, extract_kernels
from tests.lowering.networks import Graph


def pooling(path: Path, before: int) -> Kernel:
    """Return the kernel of a global pooling that comes after so many other nodes."""
    graph = Graph()
    data = graph.input(1, 8, 6, 6)
    for _ in range(before):
        data = graph.node("Sigmoid", data)
    target = find_target("host")
    lowered = lower(graph.save(path, graph.node("GlobalAveragePool", data)), target)
    [kernel] = [kernel for kernel in extract_kernels(lowered, target) if kernel.reduces]
    return kernel


def record_of(kernel: Kernel) -> list[Any]:
    schedule = Schedule(kernel.module)
    [block] = [
        block
        for block in schedule.get_child_blocks(schedule.get_sblock("root"))
        if str(schedule.get(block).name_hint).endswith("_red")
    ]
    found = schedule.get_sblock(str(schedule.get(block).name_hint))
    schedule.unroll(schedule.get_loops(found)[-1])
    arguments = ms.arg_info.ArgInfo.from_entry_func(schedule.mod, remove_preproc=True)
    workload = ms.database.Workload(kernel.module)
    target = tvm_target(find_target("host"))
    return list(ms.database.TuningRecord(schedule.trace, workload, [1e-6], target, arguments).as_json())


def test_a_record_is_applied_to_an_equal_kernel_of_another_network(tmp_path: Path) -> None:
    first, second = pooling(tmp_path / "one.onnx", 1), pooling(tmp_path / "two.onnx", 3)
    assert first.workload == second.workload
    record = json.loads(json.dumps(record_of(first), default=str))
    workload = ms.database.Workload(second.module)
    with pytest.raises((ScheduleError, tvm.error.InternalError)):
        ms.database.TuningRecord.from_json(record, workload)
    ms.database.TuningRecord.from_json(named_as_in(second.module, record), workload)
    assert named_as_in(first.module, record) == record
