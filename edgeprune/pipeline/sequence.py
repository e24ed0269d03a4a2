"""The stages of a run, each with what it reads and what decides its result."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune.errors import EdgepruneError, UserError
from edgeprune.machine import cpu_fingerprint
from edgeprune.pipeline.content_hash import hash_json, hash_tree
from edgeprune.pipeline.fingerprint import package_versions, recipe_facts
from edgeprune.pipeline.stage import Stage
from edgeprune.progress import Progress
from edgeprune.recipe import Budget, Recipe
from edgeprune.shipped import shipped_directory
from edgeprune.stages.rewind import epoch_weights, kept_epoch
from edgeprune.stages.validation import history_file, validation_accuracy
from edgeprune.stages.variant import VARIANTS, Variant
from edgeprune.stages.within_budget import RESULT as BUDGET_RESULT
from edgeprune.target import Target, find_target

_TRAINING_CODE = ("data", "models", "training", "evaluation_mode", "stages/network", "user_code")
_TVM_PACKAGES = ("apache-tvm", "apache-tvm-ffi")


@dataclass(frozen=True)
class Run:
    """A recipe, the boards it is built for, and the directory its results lie in."""

    recipe: Recipe
    targets: tuple[Target, ...]
    root: Path

    def __post_init__(self) -> None:
        """Refuse boards without the one that the recipe has a budget for.

        Raises:
            UserError: so it is.
        """
        if self.recipe.budget is None or not self.targets:
            return
        wanted = find_target(self.recipe.budget.target).name
        if all(target.name != wanted for target in self.targets):
            raise UserError(f"budget.target is {wanted}, which this run leaves out; add --target {wanted}")

    @property
    def model_name(self) -> str:
        """The recipe's name as a C identifier."""
        return self.recipe.name.replace("-", "_")


# Each function imports its stage's work when the work is done: a run that has nothing to do imports neither
# torch nor TVM.


def train_stage(run: Run) -> Stage:
    """Dense weights from the recipe's network and data."""

    def work(out: Path, progress: Progress) -> None:
        from edgeprune.stages.train import train

        train(run.recipe, out, progress)

    settings = recipe_facts(run.recipe, "model", "data", "train") | package_versions("torch", "numpy")
    settings |= {"keeps_epoch": kept_epoch(run.recipe)}
    return Stage("train", work, settings=settings, code=(*_TRAINING_CODE, "stages/train", "stages/rewind"))


def budget_stage(run: Run, budget: Budget) -> Stage:
    """How much of the recipe's amount must go so that the network fits what a board has for it."""
    weights = run.root / "train" / "model.safetensors"
    target = find_target(budget.target)

    def work(out: Path, progress: Progress) -> None:
        from edgeprune.stages.budget import choose_amount

        choose_amount(run.recipe, budget, weights, target, out, progress)

    settings = recipe_facts(run.recipe, "model", "data", "prune", "budget", "export", "measure")
    settings |= _cpu_facts(target) | package_versions("torch", "onnx", "onnxscript", "ziglang", *_TVM_PACKAGES)
    settings |= {"target": target.model_dump(mode="json"), "compiler": _compiler_facts(target)}
    settings |= {"emulator": _emulator_facts(target), "plugin": _plugin_sources(target)}
    code = (
        *_TRAINING_CODE, "pruning", "exporting", "onnx_reference", "lowering", "artifact", "toolchain", "measuring",
        "emulation", "stages/budget", "stages/budget_probe", "stages/budget_search", "stages/lower", "stages/build",
    )  # fmt: skip
    return Stage("budget", work, inputs={"weights": weights}, settings=settings, code=code)


def prune_stage(run: Run) -> Stage:
    """Masked weights from rounds of pruning and retraining."""
    weights = run.root / "train" / "model.safetensors"
    chosen = run.root / "budget"

    def work(out: Path, progress: Progress) -> None:
        from edgeprune.stages.prune import prune
        from edgeprune.stages.within_budget import within_budget

        prune(within_budget(run.recipe, chosen), weights, out, progress)

    settings = recipe_facts(run.recipe, "model", "data", "prune", "retrain") | package_versions("torch", "numpy")
    code = (*_TRAINING_CODE, "pruning", "stages/prune", "stages/rewind")
    inputs = {"weights": weights}
    epoch = kept_epoch(run.recipe)
    if epoch is not None:
        inputs["rewound"] = epoch_weights(weights.parent, epoch)
    if run.recipe.budget is not None:
        inputs["budget"] = chosen / BUDGET_RESULT
    return Stage("prune", work, inputs=inputs, settings=settings, code=code)


def compact_stage(run: Run) -> Stage:
    """A smaller dense network that computes what the masked one does."""

    def work(out: Path, progress: Progress) -> None:
        from edgeprune.stages.compact import compact

        compact(run.recipe, run.root / "prune", out, progress)

    settings = recipe_facts(run.recipe, "model") | {"granularity": run.recipe.prune.granularity}
    code = ("pruning", "stages/compact", "stages/network", "models")
    return Stage(
        "compact", work, inputs={"masked": run.root / "prune" / "masked.safetensors"}, settings=settings, code=code
    )


def export_stage(run: Run) -> Stage:
    """Dense and pruned network as ONNX, and the golden inputs with ONNX Runtime's outputs."""

    def work(out: Path, progress: Progress) -> None:
        from edgeprune.stages.export import export

        export(run.recipe, run.root / "train", run.root / "compact", out, progress)

    settings = recipe_facts(run.recipe, "model", "data", "export") | {"golden": run.recipe.measure.golden}
    settings |= package_versions("torch", "onnx", "onnxscript", "onnxruntime")
    inputs = {"train": run.root / "train" / "model.safetensors", "compact": run.root / "compact"}
    code = ("stages/export", "stages/network", "exporting", "onnx_reference", "golden_inputs", "models", "data")
    return Stage("export", work, inputs=inputs, settings=settings, code=code)


def lower_stage(run: Run, target: Target, variant: Variant) -> Stage:
    """The fused, laid-out Relax module that tuning and building start from."""
    network = run.root / "export" / f"{variant}.onnx"

    def work(out: Path, progress: Progress) -> None:
        from edgeprune.stages.lower import lower

        lower(network, target, out, progress)

    settings = _cpu_facts(target) | package_versions(*_TVM_PACKAGES)
    code = ("lowering", "stages/lower")
    return Stage(f"lower/{target.name}/{variant}", work, inputs={"onnx": network}, settings=settings, code=code)


def tune_stage(run: Run, target: Target, variant: Variant) -> Stage:
    """The tuning records of one network on one board, and which way of building it is the fastest there."""
    lowered = run.root / "lower" / target.name / variant
    network = run.root / "export" / f"{variant}.onnx"

    def work(out: Path, progress: Progress) -> None:
        from edgeprune.stages.tune import tune

        tune(network, lowered, target, run.recipe.tune, run.recipe.seed, out, progress)

    settings: dict[str, Any] = {"tune": run.recipe.tune.model_dump(mode="json"), "seed": run.recipe.seed}
    settings |= _cpu_facts(target) | target.model_dump(mode="json", include={"transport", "toolchain", "threads"})
    settings |= package_versions(*_TVM_PACKAGES)
    code = ("tuning", "lowering", "artifact", "measuring", "stages/tune", "stages/choose", "stages/choice_turns")
    inputs = {"lower": lowered, "onnx": network}
    return Stage(f"tune/{target.name}/{variant}", work, inputs=inputs, settings=settings, code=code)


def build_stage(run: Run, target: Target, variant: Variant) -> Stage:
    """Library, header, shared library, self-checking executable and manifest."""
    lowered = run.root / "lower" / target.name / variant
    tuned = run.root / "tune" / target.name / variant
    golden = run.root / "export" / "golden.safetensors"
    network = run.root / "export" / f"{variant}.onnx"

    def work(out: Path, progress: Progress) -> None:
        from edgeprune.stages.build import as_chosen, build
        from edgeprune.stages.golden import built_in_records, load_golden
        from edgeprune.stages.lower import lower

        records = built_in_records(load_golden(golden), variant)
        accuracy = validation_accuracy(run.root, variant)
        chosen = as_chosen(tuned, target)
        with tempfile.TemporaryDirectory(prefix="edgeprune-") as scratch:
            if chosen.cpu != target.cpu:
                lower(network, chosen, Path(scratch), progress)
            found = lowered if chosen.cpu == target.cpu else Path(scratch)
            build(found, tuned, records, chosen, variant, run.model_name, out, progress, accuracy)

    inputs = {"lower": lowered, "tune": tuned, "golden": golden, "history": history_file(run.root, variant)}
    inputs["onnx"] = network
    settings = target.model_dump(mode="json", include={"cpu", "toolchain", "memory_mib", "threads"})
    settings |= {"model": run.model_name} | package_versions("ziglang", *_TVM_PACKAGES)
    settings |= {"compiler": _compiler_facts(target)}
    code = ("lowering", "artifact", "toolchain", "measuring", "golden_inputs", "stages/build", "stages/golden")
    return Stage(f"build/{target.name}/{variant}", work, inputs=inputs, settings=settings, code=code)


def measure_stage(run: Run, target: Target) -> Stage:
    """Both artifacts of one board run there: checked, then timed or counted."""
    build = run.root / "build" / target.name
    golden = run.root / "export" / "golden.safetensors"

    def work(out: Path, progress: Progress) -> None:
        from edgeprune.stages.measure import measure

        measure(build, golden, target, run.recipe.measure, out, progress)

    inputs = {variant: build / variant for variant in VARIANTS} | {"golden": golden}
    settings = {
        "measure": run.recipe.measure.model_dump(mode="json"),
        "target": target.model_dump(mode="json"),
        "emulator": _emulator_facts(target),
        "plugin": _plugin_sources(target),
    }
    code = ("measuring", "emulation", "stages/measure")
    return Stage(f"measure/{target.name}", work, inputs=inputs, settings=settings, code=code)


def evaluate_stage(run: Run) -> Stage:
    """Test accuracy, read once: of the ONNX files, of the binaries that run here, and of those in another precision.

    A float32 binary for another board answers as ONNX Runtime does, which measuring has checked; one that computes in
    float16 has an accuracy of its own.
    """
    boards = tuple(target for target in run.targets if not target.emulated or target.cpu.precision != "float32")

    def work(out: Path, progress: Progress) -> None:
        from edgeprune.stages.evaluate import evaluate

        evaluate(run.recipe, run.root / "export", run.root / "build", boards, out, progress)

    inputs = {"export": run.root / "export"}
    inputs |= {f"build/{target.name}": run.root / "build" / target.name for target in boards}
    settings = recipe_facts(run.recipe, "data") | package_versions("onnxruntime")
    settings |= {"emulators": {target.name: _emulator_facts(target) for target in boards}}
    return Stage(
        "evaluate",
        work,
        inputs=inputs,
        settings=settings,
        code=("data", "measuring", "onnx_reference", "stages/evaluate"),
    )


def report_stage(run: Run) -> Stage:
    """The report of everything above."""

    def work(out: Path, progress: Progress) -> None:
        from edgeprune.stages.report import report
        from edgeprune.stages.within_budget import within_budget

        report(within_budget(run.recipe, run.root / "budget"), run.targets, run.root, out, progress)

    names = ("train", "prune", "compact", "export", "evaluate")
    inputs = {name: run.root / name for name in names}
    if run.recipe.budget is not None:
        inputs["budget"] = run.root / "budget"
    for target in run.targets:
        for kind in ("lower", "tune", "build", "measure"):
            inputs[f"{kind}/{target.name}"] = run.root / kind / target.name
    settings = {"recipe": run.recipe.model_dump(mode="json"), "targets": [target.name for target in run.targets]}
    parts = (
        "report", "report_parts", "report_targets", "report_latency", "report_environment", "report_choices",
        "report_budget", "within_budget",
    )  # fmt: skip
    code = ("reporting", *(f"stages/{part}" for part in parts))
    return Stage("report", work, inputs=inputs, settings=settings, code=code)


def _cpu_facts(target: Target) -> dict[str, Any]:
    facts: dict[str, Any] = {"cpu": target.cpu.model_dump(mode="json")}
    if target.cpu.name == "native":
        facts["machine"] = cpu_fingerprint()
    return facts


def _compiler_facts(target: Target) -> dict[str, str] | str | None:
    """Return the versions of a compiler that is the user's own: another one makes other files."""
    if target.toolchain.kind == "zig":
        return None
    from edgeprune.toolchain import toolchain_for

    try:
        return toolchain_for(target).versions()
    except EdgepruneError as error:
        return str(error)  # building says so, too, and how to mend it


def _plugin_sources(target: Target) -> str | None:
    """Return a hash of what counts instructions and models cycles: it lies beside the package in a checkout."""
    return hash_json(hash_tree(shipped_directory("qemu_plugin"))) if target.emulated else None


def _emulator_facts(target: Target) -> str | None:
    """Return which emulator would run: finding one later must not leave an old "not run" standing."""
    if target.emulator is None:
        return None
    from edgeprune.emulation import Unavailable, find_qemu

    found = find_qemu(target.emulator.program, cpu=target.emulator.cpu)
    return found.reason if isinstance(found, Unavailable) else f"{found.program} {found.version}"
