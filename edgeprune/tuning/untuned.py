"""The schedule a kernel has without tuning, and how to tell whether a time of it is still of the same one."""

from __future__ import annotations

import tvm
from tvm.s_tir.meta_schedule.utils import shash2hex

from edgeprune.lowering.default_schedule import default_schedule
from edgeprune.tuning.kernels import Kernel


def untuned(kernel: Kernel, target: tvm.target.Target) -> tvm.IRModule:
    """Return the kernel under the schedule that is used where there is no record."""
    return tvm.IRModule({"main": default_schedule(kernel.module["main"], target)})


def schedule_key(module: tvm.IRModule) -> str:
    """Return a content key of a scheduled kernel: another version of edgeprune may schedule it differently."""
    return str(shash2hex(module))
