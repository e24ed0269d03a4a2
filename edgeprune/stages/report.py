"""Report: what the run's stages left, gathered into one typed report and written as JSON, page and pictures."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgeprune.machine import cpu_model
from edgeprune.measuring.protocol import protocol_of
from edgeprune.pipeline.stage import RECORD
from edgeprune.progress import Progress
from edgeprune.recipe import Measure, Recipe
from edgeprune.reporting import (
    Accuracy,
    DataSummary,
    Epoch,
    Fact,
    Figure,
    Layer,
    Network,
    Report,
    Round,
    Stage,
    Variant,
)
from edgeprune.reporting.write import write_report
from edgeprune.stages.report_budget import budget_lines
from edgeprune.stages.report_parts import parity, read_json
from edgeprune.stages.report_targets import not_run, target_result
from edgeprune.stages.validation import validation_accuracy
from edgeprune.target import Target

_PACKAGES = ("edgeprune", "torch", "onnx", "onnxruntime", "apache-tvm", "apache-tvm-ffi", "numpy", "ziglang")


def report(recipe: Recipe, targets: tuple[Target, ...], root: Path, out: Path, progress: Progress) -> None:
    """Write ``report.json``, ``report.html`` and the pictures to ``out`` from the stages under ``root``."""
    gathered = gather(recipe, targets, root)
    write_report(gathered, out)
    progress.note(f"report: {len(gathered.targets)} boards, {len(gathered.not_run)} steps not run")


def gather(recipe: Recipe, targets: tuple[Target, ...], root: Path) -> Report:
    """Return the report of a run whose stages are all there."""
    accuracy = read_json(root / "evaluate" / "accuracy.json")
    networks: dict[Variant, Network] = {variant: _network(root, accuracy, variant) for variant in ("dense", "pruned")}
    plan = read_json(root / "compact" / "plan.json")
    results = tuple(target_result(root, target, networks, accuracy) for target in targets)
    return Report(
        title=recipe.name,
        description=recipe.description,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        command=_command(recipe, targets),
        seed=recipe.seed,
        machine=cpu_model(),
        versions={package: version(package) for package in _PACKAGES},
        data=_data(accuracy),
        settings=_settings(recipe),
        dense=networks["dense"],
        pruned=networks["pruned"],
        epochs=_epochs(root),
        rounds=_rounds(root, networks["dense"]),
        layers=tuple(_layer(layer) for layer in plan["layers"]),
        parity=tuple(parity(entry) for entry in read_json(root / "export" / "parity.json")),
        targets=results,
        budget=budget_lines(recipe, root / "budget", results),
        not_run=tuple(entry for target in targets for entry in not_run(root, target)),
        stages=_stages(root),
    )


def _command(recipe: Recipe, targets: tuple[Target, ...]) -> str:
    return " ".join(["edgeprune run", recipe.name, *(f"--target {target.name}" for target in targets)])


def _network(root: Path, accuracy: dict[str, Any], variant: Variant) -> Network:
    plan = read_json(root / "compact" / "plan.json")
    side = "before" if variant == "dense" else "after"
    test = accuracy[variant]["onnx"]
    return Network(
        test=Accuracy.of(test["correct"], test["total"]),
        validation=_validation(root, accuracy, variant),
        parameters=Figure.computed(plan["parameters"][side], "parameters"),
        macs=Figure.computed(plan["macs"][side], "MACs"),
    )


def _validation(root: Path, accuracy: dict[str, Any], variant: Variant) -> Accuracy:
    """Return the last validation accuracy of the phase that made the variant, where that phase had an epoch."""
    fraction = validation_accuracy(root, variant)
    if fraction is None:
        return Accuracy.absent("not determined: the weights came from a file and were not trained here")
    total = accuracy["sizes"]["validation"]
    return Accuracy.of(round(fraction * total), total)


def _data(accuracy: dict[str, Any]) -> DataSummary:
    sizes = accuracy["sizes"]
    return DataSummary(
        description=accuracy["data"], training=sizes["train"], validation=sizes["validation"], test=sizes["test"]
    )


def _settings(recipe: Recipe) -> tuple[Fact, ...]:
    prune, tune = recipe.prune, recipe.tune
    overrides = "".join(f", {entry.pattern} {entry.amount:g} of channels" for entry in prune.override)
    return (
        Fact(name="training", value=f"{recipe.train.epochs} epochs, batch {recipe.train.batch_size}"),
        Fact(
            name="pruning", value=f"{prune.granularity}, {prune.criterion}, {prune.amount:g} of {prune.unit}{overrides}"
        ),
        Fact(name="schedule", value=f"{_schedule(prune.schedule)}, {prune.rounds} rounds"),
        Fact(name="retraining", value=_retraining(recipe)),
        Fact(name="tuning", value=f"at most {tune.trials} trials and {tune.seconds:g} s per network and board"),
        Fact(name="measuring", value=_measuring(recipe.measure)),
    )


def _measuring(settings: Measure) -> str:
    asked = protocol_of(settings)
    timed = f"at least {asked.samples:,} inferences and {asked.seconds:g} s after {asked.warmup} and"
    return f"{settings.protocol}: {timed} {asked.warmup_seconds:g} s to warm up"


def _schedule(schedule: str | list[float]) -> str:
    return schedule if isinstance(schedule, str) else ", ".join(f"{amount:.3g}" for amount in schedule)


def _retraining(recipe: Recipe) -> str:
    settings = recipe.retrain
    parts = [f"{settings.epochs} epochs after a round"]
    if settings.final_epochs is not None:
        parts.append(f"{settings.final_epochs} after the last")
    start = f"epoch {settings.rewind_epoch}'s weights" if settings.start == "rewind" else settings.start
    parts.append(f"from {start}")
    if settings.freeze != "none":
        parts.append("convolutions and linear layers in turns")
    if settings.adjust_dropout:
        parts.append("dropout adjusted")
    if settings.distill:
        parts.append(f"distilled by {settings.distill:g} at temperature {settings.distill_temperature:g}")
    return ", ".join(parts)


def _epochs(root: Path) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(
            epoch=entry["epoch"],
            loss=Figure.computed(entry["loss"], "1"),
            validation=Figure.computed(100 * entry["validation_accuracy"], "%"),
        )
        for entry in read_json(root / "train" / "history.json")["epochs"]
    )


def _rounds(root: Path, dense: Network) -> tuple[Round, ...]:
    before = dense.parameters.value
    assert before is not None  # always counted
    return tuple(
        Round(
            round=entry["number"],
            ratio=Figure.computed(before / entry["live"], "1"),
            parameters=Figure.computed(entry["live"], "parameters"),
            validation=Figure.computed(100 * entry["after_retraining"], "%"),
        )
        for entry in read_json(root / "prune" / "history.json")["rounds"]
    )


def _layer(entry: dict[str, Any]) -> Layer:
    return Layer(
        name=entry["name"],
        kind=entry["kind"],
        before=Figure.computed(entry["before"], "channels"),
        after=Figure.computed(entry["after"], "channels"),
        pinned=entry["pinned"],
    )


def _stages(root: Path) -> tuple[Stage, ...]:
    """Return every stage's duration, in the order in which they were last computed."""
    records = sorted(root.glob(f"*/**/{RECORD}"), key=lambda path: path.stat().st_mtime_ns)
    found = [read_json(path) for path in records if not path.is_relative_to(root / ".partial")]
    return tuple(Stage(name=entry["name"], seconds=Figure.measured(entry["seconds"], "s")) for entry in found)
