"""TVM's own MetaSchedule on the kernels of a lowered network, as its documentation has it; a process of its own.

    python -m tuning_bench.stock LOWERED TARGET TRIALS WORK_DIR SEED

The space, the evolutionary search, the gradient task scheduler, the xgboost cost model, builder and runner are TVM's
defaults. Two things are not. Every process of the stock builder imports all tensor intrinsics of all devices, which
takes longer than its time-out, so that nothing would be measured: here it imports those of CPUs alone. And kernels take
turns of 64 trials, so that a small budget would leave most of them without any: here turns are as long as lets every
kernel have one, and 64 trials at most.
"""

from __future__ import annotations

import sys
from pathlib import Path

_TURN = 64


def main() -> None:
    """Tune and leave the records in WORK_DIR, in the files that MetaSchedule's database has."""
    lowered, target, trials, work, seed = sys.argv[1:]
    from tvm.s_tir import meta_schedule as ms

    from edgeprune.lowering import Lowered, task_module, tvm_target
    from edgeprune.target import find_target

    import_cpu_intrinsics()
    module, compiled_for = task_module(Lowered.load(Path(lowered))), tvm_target(find_target(target))
    kernels = len(ms.relax_integration.extract_tasks(module, compiled_for))
    ms.relax_integration.tune_relax(
        mod=module,
        params={},
        target=compiled_for,
        work_dir=work,
        max_trials_global=int(trials),
        num_trials_per_iter=turn(int(trials), kernels),
        builder=ms.builder.LocalBuilder(initializer=import_cpu_intrinsics),
        runner=ms.runner.LocalRunner(initializer=import_cpu_intrinsics),
        seed=int(seed),
    )


def turn(trials: int, kernels: int) -> int:
    """Return how many trials a kernel makes at once: MetaSchedule's 64, or as few as give every kernel a turn."""
    return max(1, min(_TURN, trials // kernels))


def import_cpu_intrinsics() -> None:
    """Register the tensor intrinsics of CPUs, without those of other devices."""
    import importlib
    import types

    package = "tvm.s_tir.tensor_intrin"
    if package not in sys.modules:
        import tvm.s_tir

        module = types.ModuleType(package)
        module.__path__ = [str(Path(tvm.s_tir.__file__).parent / "tensor_intrin")]
        sys.modules[package] = module
    for name in ("dot_product_common", "arm_cpu", "x86"):
        importlib.import_module(f"{package}.{name}")


if __name__ == "__main__":
    main()
