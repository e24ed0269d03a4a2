"""Estimated cycles in a report: with their range, listed and shown as estimates, refused as anything else."""

import pytest
from pydantic import ValidationError

from edgeprune.reporting import CycleEstimate, Figure, Report, from_json, named_figures, to_json
from edgeprune.reporting.page import PagePlot, render_page


def estimate(**changes: Figure) -> CycleEstimate:
    figures = {
        "value": Figure.estimated(120_000, "cycles"),
        "low": Figure.estimated(110_000, "cycles"),
        "high": Figure.estimated(150_000, "cycles"),
        "time": Figure.estimated(85.7, "us"),
    }
    return CycleEstimate(**(figures | changes), model="in-order dual issue model of cortex-a53")


def with_cycles(report: Report) -> Report:
    targets = list(report.targets)
    place = next(index for index, target in enumerate(targets) if target.emulator_cpu is not None)
    first = (
        targets[place]
        .variants[0]
        .model_copy(update={"cycles": estimate(), "mix": {"mac": Figure.emulated(70_000, "instructions")}})
    )
    targets[place] = targets[place].model_copy(update={"variants": (first, *targets[place].variants[1:])})
    return report.model_copy(update={"targets": tuple(targets)})


def test_cycles_are_listed_with_their_range_and_survive_a_round_trip(report: Report) -> None:
    changed = with_cycles(report)
    assert from_json(to_json(changed)) == changed
    place = next(target.name for target in changed.targets if target.emulator_cpu is not None)
    here = ("target", place, "dense")
    of_target = [row for row in named_figures(changed) if (row.section, row.target, row.variant) == here]
    rows = {row.name: row.figure for row in of_target if row.name.startswith(("cycles", "time of"))}
    assert {name: figure.value for name, figure in rows.items()} == {
        "cycles": 120_000,
        "cycles, low": 110_000,
        "cycles, high": 150_000,
        "time of the cycles": 85.7,
    }
    assert {figure.provenance for figure in rows.values()} == {"estimated"}
    assert [row.figure.value for row in named_figures(changed) if row.name == "instructions, mac"] == [70_000]


def test_the_page_says_that_they_are_estimated(report: Report) -> None:
    plots = {name: PagePlot("", "") for name in ("accuracy_size", "latency", "steps", "roofline", "layers")}
    page = render_page(with_cycles(report), plots)
    shown = page.split("<dt>cycles</dt>")[1].split("</dl>")[0].split("<dt>instructions by class")[0]
    assert "by the in-order dual issue model of cortex-a53" in shown
    assert shown.count(">estimated</abbr>") == 3
    assert "110 k" in shown and "150 k" in shown and "85.7 us" in shown


@pytest.mark.parametrize(
    "changes",
    [{"value": Figure.measured(1, "cycles")}, {"high": Figure.estimated(1, "us")}, {"time": Figure.measured(1, "us")}],
)
def test_cycles_are_never_measured(changes: dict[str, Figure]) -> None:
    with pytest.raises(ValidationError, match="estimate"):
        estimate(**changes)
