"""What a study file may say, and the studies that come with edgeprune."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from edgeprune.cli.main import run_command
from edgeprune.errors import UserError
from edgeprune.pruning import count_parameters
from edgeprune.stages.network import build_network
from edgeprune.studies import Arm, Study, find_study, list_studies
from edgeprune.studies.arm_recipe import arm_recipe
from edgeprune.studies.cells import dense_facts, study_cells
from edgeprune.studies.quick import quick_study
from edgeprune.studies.seeds import chosen_seeds
from tests.studies.small_study import STUDY, small_study

PAGE = Path(__file__).parents[2] / "docs" / "studies" / "README.md"


@pytest.mark.parametrize("name", list_studies())
def test_shipped_study_loads_also_when_quick(name: str) -> None:
    study = find_study(name)
    assert study.name == name
    assert len(study.seeds) >= 3
    quick = study_cells(quick_study(study), [0])
    assert {cell.arm for cell in quick} == {arm.name for arm in study.arm}
    for recipe in (cell.recipe for cell in quick):
        assert (recipe.data.limit, recipe.train.epochs) == (2000, 1)
        assert max(recipe.retrain.epochs, recipe.retrain.final_epochs or 0) <= 1


def test_without_a_name_the_studies_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["study"], debug=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(list_studies())
    assert find_study("scope").question in lines[list(list_studies()).index("scope")]
    assert run_command(["study", "scpe"], debug=False) == 2
    assert "did you mean scope" in capsys.readouterr().err


def test_every_key_of_a_study_is_documented() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    documented = {key for row in rows for key in re.findall(r"`([a-z_.]+)`", row.split(" | ")[0])}
    assert documented == set(Study.model_fields) | {f"arm.{name}" for name in Arm.model_fields}


def test_small_dense_networks_have_as_many_weights_as_the_sparse_ones() -> None:
    study = find_study("small-dense")
    for cell in study_cells(study, [0]):
        if cell.kind == "dense":
            (ratio,) = cell.ratios.values()
            assert ratio is not None
            biases = sum(cell.recipe.model.args["hidden"]) + 10
            weights = count_parameters(build_network(cell.recipe.model, 0)) - biases
            assert weights == pytest.approx(266_200 / ratio, rel=0.01)


def test_arms_are_laid_over_the_recipe_in_order(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    recipe = arm_recipe(study, study.named("rounds"), 1, 4)
    assert (recipe.seed, recipe.prune.amount, recipe.prune.schedule, recipe.prune.rounds) == (1, 0.75, "iterative", 4)
    assert (recipe.prune.scope, recipe.prune.round_to, recipe.retrain.batch_size) == ("global", 1, 16)
    assert arm_recipe(study, study.named("global"), 0, None if study.ratios == [] else 2).prune.schedule == "one-shot"


def test_cells_of_a_study(tmp_path: Path) -> None:
    cells = study_cells(small_study(tmp_path), [0, 1])
    assert [(cell.arm, cell.ratios) for cell in cells[: len(cells) // 2]] == [
        ("control", {1: None}),
        ("global", {1: 2}),
        ("global", {1: 4}),
        ("random", {1: 2}),
        ("random", {1: 4}),
        ("rounds", {2: 2, 4: 4}),
        ("rewound", {1: 2}),
        ("rewound", {1: 4}),
    ]
    assert len({cell.key for cell in cells}) == len(cells)


def test_names_do_not_decide_what_a_cell_is(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    other = study.model_copy(
        update={"name": "other", "arm": [study.arm[0], study.arm[1].model_copy(update={"name": "x"})]}
    )
    assert {cell.key for cell in study_cells(other, [0])} < {cell.key for cell in study_cells(study, [0])}


def test_sums_split_among_other_threads_are_other_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = study_cells(small_study(tmp_path), [0])
    keys, dense = [cell.key for cell in cells], dense_facts(cells[0].recipe)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert not set(keys) & {cell.key for cell in cells}
    assert dense_facts(cells[0].recipe) == dense | {"threads": 3}


def test_seeds_are_counted_on(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    assert [chosen_seeds(study, wanted) for wanted in (None, 1, 4)] == [[0, 1], [0], [0, 1, 2, 3]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('control = "control"', 'control = "global"', "control: 'global' is not an arm of kind 'control' or 'dense'"),
        ("ratios = [2, 4]", "ratios = [4, 2]", "ratios must rise"),
        ("ratios = [2, 4]", "ratio = [2, 4]", "ratio: unknown key; did you mean 'ratios'?"),
        ("ratios = [2, 4]", "ratios = [2, 3]", "no round reaches 2x; the rounds of prune.schedule 'iterative' pass"),
        ('drop = ["prune"]', 'drop = ["prune.rate"]', "drop: the recipe has no key 'prune.rate'"),
        ('granularity = "weight"', 'granularity = "channel"', "set prune.unit to 'parameters' for channels"),
        ('densities_of = "global"', 'densities_of = "local"', "densities_of: there is no arm 'local'"),
        ('points = "rounds"', 'kind = "dense"\npoints = "rounds"', "ratios and points do nothing for kind 'dense'"),
        ('scope = "global"', 'scop = "global"', "arm 'control': prune.scop: unknown key; did you mean 'scope'?"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in STUDY
    with pytest.raises(UserError) as raised:
        small_study(tmp_path, STUDY.replace(old, new, 1))
    assert message in str(raised.value)
