"""Dividing a budget of trials among kernels."""

from __future__ import annotations

import math

from edgeprune.tuning.kernels import Kernel

# A rough single core, only to weigh kernels against each other: 10 GFLOP/s, 10 GB/s.
_OPERATIONS_PER_SECOND = 1e10
_BYTES_PER_SECOND = 1e10
# Nothing can be gained on a kernel that only moves elements, beyond telling vectorised from not.
_MOST_WITHOUT_REDUCTION = 4


def divide(trials: int, kernels: list[Kernel]) -> dict[str, int]:
    """Return the trials each kernel (by workload) is to have had in total, summing to at most ``trials``.

    It depends on nothing but the network and the budget: what lies in the database counts towards a kernel's quota,
    so that a repeated run has nothing left to do and a larger budget adds only the difference. Quotas grow with the
    square root of a kernel's estimated share of the time: a kernel that takes four times as long has more to give,
    but also gives most of it early.
    """
    weights = {kernel.workload: math.sqrt(kernel.calls * _estimated_seconds(kernel)) for kernel in kernels}
    limits = {kernel.workload: trials if kernel.reduces else _MOST_WITHOUT_REDUCTION for kernel in kernels}
    quota = {kernel.workload: 0 for kernel in kernels}
    for _ in range(trials):
        open_ = [workload for workload in weights if quota[workload] < limits[workload]]
        if not open_:
            break
        # The kernel furthest below its share; ties go to the first by workload, for repeatability.
        chosen = max(sorted(open_), key=lambda workload: weights[workload] / (quota[workload] + 1))
        quota[chosen] += 1
    return quota


def _estimated_seconds(kernel: Kernel) -> float:
    return kernel.operations / _OPERATIONS_PER_SECOND + kernel.traffic / _BYTES_PER_SECOND + 1e-7
