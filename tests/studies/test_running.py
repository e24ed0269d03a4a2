"""A study is computed cell by cell, goes on after an interruption, and its files show what was computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from edgeprune.cli.main import run_command
from edgeprune.data import load_splits
from edgeprune.progress import SilentProgress
from edgeprune.stages.network import build_network
from edgeprune.studies import run as run_module
from edgeprune.studies.run import run_study
from edgeprune.training import evaluate, fit
from edgeprune.training.randomness import derive_seed
from tests.studies.small_study import small_study, write_small_study

pytestmark = pytest.mark.slow


class Notes(SilentProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def advance(self, message: str) -> None:
        self.lines.append(message)

    def note(self, message: str) -> None:
        self.lines.append(message)


def run(directory: Path, progress: SilentProgress, out: str = "out") -> dict[str, Any]:
    return run_study(
        small_study(directory),
        seeds=[0, 1],
        out=directory / out,
        work=directory / "work",
        command="edgeprune study",
        progress=progress,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def document(place: Path) -> dict[str, Any]:
    return run(place, SilentProgress())


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out what two runs in two places may differ in."""
    cells = [{k: v for k, v in cell.items() if k != "key" and "seconds" not in k} for cell in document["cells"]]
    return {"cells": cells, "summary": document["summary"]}


def test_what_is_computed(document: dict[str, Any]) -> None:
    rows = {(row["arm"], row["ratio"]): row for row in document["summary"]}
    assert {key: row["seeds"] for key, row in rows.items()} == {
        ("control", None): 2,
        **{(arm, ratio): 2 for arm in ("global", "random", "rounds", "rewound") for ratio in (2, 4)},
    }
    assert rows["global", 2]["compression"] == rows["rounds", 2]["compression"] == pytest.approx(2, rel=1e-3)
    assert rows["global", 4]["compression"] == pytest.approx(4, rel=1e-3)
    # The random arm keeps as much of every layer as the global ranking does, with other weights.
    assert rows["random", 4]["kept"] == rows["global", 4]["kept"]
    assert len(set(rows["global", 4]["kept"].values())) == 3
    assert rows["control", None]["test_points_lost"] == {"mean": 0.0, "deviation": 0.0}
    lost = [
        100 * (control["test"]["correct"] - point["test"]["correct"]) / 40
        for control, point in zip(points(document, "control", None), points(document, "global", 4), strict=True)
    ]
    assert rows["global", 4]["test_points_lost"]["mean"] == pytest.approx(sum(lost) / 2, abs=1e-4)


def points(document: dict[str, Any], arm: str, ratio: float | None) -> list[dict[str, Any]]:
    return [
        point for cell in document["cells"] if cell["arm"] == arm for point in cell["points"] if point["ratio"] == ratio
    ]


def test_the_control_is_the_dense_network_trained_on(place: Path, document: dict[str, Any]) -> None:
    study = small_study(place)
    recipe = next(cell.recipe for cell in run_module.study_cells(study, [1]) if cell.kind == "control")
    splits = load_splits(recipe.data, 1, [1, 6, 6])
    network = build_network(recipe.model, 1)
    fit(network, splits, recipe.train, seed=1)
    fit(network, splits, recipe.retrain, seed=derive_seed(1, "retrain", 1))
    expected = evaluate(network, splits.test)
    found = points(document, "control", None)[1]["test"]
    assert (found["correct"], found["total"], found["loss"]) == (expected.correct, 40, round(expected.loss, 6))


def test_an_interrupted_study_goes_on(
    tmp_path: Path, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []
    original = run_module.measure_cell

    def interrupted(cell: Any, *rest: Any) -> dict[str, Any]:
        if len(computed) == 3:
            raise KeyboardInterrupt
        computed.append(cell.arm)
        return original(cell, *rest)

    monkeypatch.setattr(run_module, "measure_cell", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Notes())
    monkeypatch.setattr(run_module, "measure_cell", original)
    notes = Notes()
    found = run(tmp_path, notes)
    assert notes.lines[0].startswith("3 of 16 cells lie in ")
    assert sum("was interrupted; goes on" in line for line in notes.lines) == 1
    assert not list((tmp_path / "work" / "partial").iterdir())

    monkeypatch.setattr(run_module, "measure_cell", None)  # nothing is left to compute
    assert run(tmp_path, Notes(), "again") == found
    assert found["cells"][0]["key"] != document["cells"][0]["key"]  # its data lie elsewhere
    assert comparable(found) == comparable(document)


def test_files_and_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, out = write_small_study(tmp_path), tmp_path / "out"
    arguments = ["study", str(study), "--seeds", "1", "--out", str(out), "--work", str(tmp_path / "work")]
    assert run_command(arguments, debug=True) == 0
    shown = capsys.readouterr().out
    page = (out / "table.md").read_text(encoding="utf-8")
    assert shown == f"{page}study: {out}\n"
    document = json.loads((out / "study.json").read_text(encoding="utf-8"))
    assert document["command"] == "edgeprune study small.toml --seeds 1"
    row = next(row for row in document["summary"] if (row["arm"], row["ratio"]) == ("rounds", 4))
    assert f"{row['test_error']['mean']:.2f} |" in next(line for line in page.splitlines() if "| rounds |" in line)
    with Image.open(out / "plot.png") as picture:
        assert picture.format == "PNG"
    assert (out / "plot.png").stat().st_size < 80_000
    assert sorted(path.name for path in out.iterdir()) == ["plot.png", "study.json", "table.md"]
    assert torch.get_num_threads() == document["machine"]["threads"]
