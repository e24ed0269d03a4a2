"""The schedules that tuning considers for one thread of a CPU."""

from __future__ import annotations

from tvm.s_tir import meta_schedule as ms

_INNERMOST = 64
_UNROLL_STEPS = [0, 16, 64, 512]


def cpu_space() -> ms.space_generator.PostOrderApply:
    """Return MetaSchedule's tiling space for CPUs, without anything parallel.

    Artifacts run one thread. TVM's default rules would still split work into 16 parallel chunks, which go through the
    runtime's thread pool; here the bound on parallel extents is off. Weights get the layout that the tiles read
    (``RewriteLayout``), to be packed when the artifact is built.
    """
    rule, post, mutator = ms.schedule_rule, ms.postproc, ms.mutator
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
        ],
        postprocs=[
            post.DisallowDynamicLoop(),
            post.RewriteParallelVectorizeUnroll(),
            post.RewriteReductionBlock(),
            post.RewriteLayout(),
        ],
        mutator_probs={
            mutator.MutateTileSize(): 0.9,
            mutator.MutateUnroll(): 0.05,
            mutator.MutateComputeLocation(): 0.05,
        },
    )
