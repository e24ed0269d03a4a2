"""A budget in the report: what is allowed, what is taken, and whether that is kept."""

from __future__ import annotations

import pytest

from edgeprune.reporting import BudgetLine, Figure, Report, from_json, named_figures, to_json
from edgeprune.reporting.sentence import budget_sentences
from edgeprune.reporting.write import write_report

MET = BudgetLine(target="rpi3", name="latency", limit=200.0, taken=Figure.estimated(190.0, "us"))
MISSED = BudgetLine(target="rpi3", name="arena", limit=20_000.0, taken=Figure.computed(23_040, "B"))
UNKNOWN = BudgetLine(target="rpi3", name="latency", limit=200.0, taken=Figure.absent("not run: no QEMU", "us"))


@pytest.fixture
def limited(report: Report) -> Report:
    return report.model_copy(update={"budget": (MET, MISSED, UNKNOWN)})


def test_each_limit_is_a_sentence(limited: Report) -> None:
    assert budget_sentences(limited) == [
        "Budget of rpi3: latency 190 us (estimated) of 200 us allowed, met.",
        "Budget of rpi3: arena 23.0 kB (computed) of 20.0 kB allowed, MISSED.",
        "Budget of rpi3: latency not known (not run: no QEMU), 200 us allowed.",
    ]
    assert [line.met for line in limited.budget] == [True, False, False]


def test_the_budget_survives_the_file_and_the_list(limited: Report, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert from_json(to_json(limited)) == limited
    listed = [(row.name, row.figure.value) for row in named_figures(limited) if row.section == "budget"]
    assert listed[:4] == [("allowed", 200.0), ("taken", 190.0), ("allowed", 20_000.0), ("taken", 23_040)]


def test_the_page_has_a_table_of_it(limited: Report, report: Report, tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    write_report(limited, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Budget of rpi3" in page and "MISSED" in page
