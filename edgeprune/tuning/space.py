"""The schedules that tuning considers for one thread of a CPU."""

from __future__ import annotations

import tvm
from tvm.s_tir import Schedule
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.schedule import Instruction

from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.tuning.register_tile import RegisterTile, TileSizes, divisors

_INNERMOST = 64
_UNROLL_STEPS = [0, 16, 64, 512]


def cpu_space() -> ms.space_generator.PostOrderApply:
    """Return MetaSchedule's tiling space for CPUs, without anything parallel.

    Artifacts run one thread. TVM's default rules would still split work into 16 parallel chunks, which go through the
    runtime's thread pool; here the bound on parallel extents is off. Weights get the layout that the tiles read
    (``RewriteLayout``), to be packed when the artifact is built.
    """
    rule = ms.schedule_rule
    return _space(
        [
            rule.AddRFactor(max_jobs_per_core=16, max_innermost_factor=_INNERMOST),
            rule.MultiLevelTiling(
                structure="SSRSRS",
                max_innermost_factor=_INNERMOST,
                reuse_write=rule.ReuseType(req="may", levels=[1, 2], scope="global"),
            ),
            rule.ParallelizeVectorizeUnroll(
                max_jobs_per_core=-1,
                max_vectorize_extent=_INNERMOST,
                unroll_max_steps=_UNROLL_STEPS,
                unroll_explicit=True,
            ),
            rule.RandomComputeLocation(),
        ]
    )


def register_space(unit: VectorUnit) -> ms.space_generator.PostOrderApply:
    """Return the space of register tiles (`RegisterTile`)."""
    return _space([RegisterTile(unit)])


def is_tiled(design: Schedule) -> bool:
    """Return whether the template of `register_space` fitted the kernel of this design."""
    return bool(_samples(design))


def with_tile(module: tvm.IRModule, design: Schedule, tile: TileSizes) -> Schedule:
    """Return the register-tiled ``design`` of ``module`` with sizes ``tile`` or the next smaller that fit."""
    trace = design.trace
    samples = _samples(design)
    sizes = [tile.rows, tile.pixels, tile.vectors, tile.reduction][-len(samples) :]
    for sample, size in zip(samples, sizes, strict=True):
        extent = 1
        for factor in trace.decisions[sample]:
            extent *= int(factor)
        inner = divisors(extent, size)[-1]
        trace = trace.with_decision(sample, [extent // inner, inner], remove_postproc=True)
    schedule = Schedule(module)
    trace.apply_to_schedule(schedule, remove_postproc=True)
    # The search replays what comes before this mark, and post-processes anew.
    schedule.enter_postproc()
    return schedule


def _samples(design: Schedule) -> list[Instruction]:
    return [step for step in design.trace.insts if step.kind.name == "SamplePerfectTile"]


def _space(rules: list[ms.ScheduleRule]) -> ms.space_generator.PostOrderApply:
    rule, post = ms.schedule_rule, ms.postproc
    return ms.space_generator.PostOrderApply(
        sch_rules=[
            rule.InlineConstantScalars(),
            rule.AutoInline(
                into_producer=False,
                into_consumer=True,
                inline_const_tensor=True,
                disallow_if_then_else=True,
                require_injective=True,
                require_ordered=True,
                disallow_op=["tirx.exp"],
            ),
            *rules,
        ],
        postprocs=[
            post.DisallowDynamicLoop(),
            post.RewriteParallelVectorizeUnroll(),
            post.RewriteReductionBlock(),
            post.RewriteLayout(),
        ],
        mutator_probs={},  # mutants are made by edgeprune.tuning.mutate
    )
