"""What tuning considers for a convolution by Winograd's method: sizes of its strips and register tiles."""

from __future__ import annotations

import tvm
from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir.schedule import LoopRV

from edgeprune.lowering.default_schedule import inline
from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.lowering.winograd_schedule import Factor, Sizes, tile_winograd, winograd_stages

_MOST = 16


def winograd_design(module: tvm.IRModule, unit: VectorUnit) -> Schedule | None:
    """Return the default schedule of ``module["main"]`` with its sizes left open, ``None`` for any other kernel.

    Its stages are no more than the template's: MetaSchedule's own rules would tile each of them for itself.
    """
    schedule = inline(Schedule(module))
    if not winograd_stages(schedule):
        return None
    try:
        tile_winograd(schedule, unit, _Sampled())
    except ScheduleError:
        return None
    return schedule


class _Sampled(Sizes):
    def factors(self, schedule: Schedule, loop: LoopRV, inner: int) -> list[Factor]:
        extent = int(schedule.get(loop).extent)
        made = schedule.sample_perfect_tile(
            loop, n=2, max_innermost_factor=max(_MOST, inner), decision=[extent // inner, inner]
        )
        return list(made)
