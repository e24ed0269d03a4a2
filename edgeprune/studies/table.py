"""A study as a page of Markdown: the question, how to run it, the picture, and its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def study_page(document: Mapping[str, Any]) -> str:
    """Return the Markdown page of a study's document."""
    study, rows = document["study"], document["summary"]
    machine, versions = document["machine"], document["versions"]
    seeds = ", ".join(str(seed) for seed in study["seeds"])
    parts = [
        f"# {study['title']}",
        study["question"],
        f"    {document['command']}",
        f"Recipe `{study['recipe']}` with the study's changes; seeds {seeds}; {document['processor_seconds'] / 60:.0f} "
        f"processor minutes on a machine with {machine['cores']} cores of {machine['architecture']}, "
        f"torch threads: {machine['threads']}; "
        f"torch {versions['torch']}. The dense network has {document['dense']['weights']:,} weights. "
        f"Protocol: {document['protocol']}.",
        "![test error against compression](plot.png)",
        "## Test error, %",
        _grid(rows, lambda row: _spread(row["test_error"])),
        f"## Points lost against {study['control']!r} (below zero: gained)",
        _grid(
            [row for row in rows if row["arm"] != study["control"]],
            lambda row: _spread(row["test_points_lost"], signed=True),
        ),
    ]
    if any("validation_error_before_retraining" in row for row in rows):
        parts += [
            "## Validation error before the last retraining, %",
            _grid(rows, lambda row: _spread(row.get("validation_error_before_retraining"))),
        ]
    parts += ["## Sizes", _sizes(rows)]
    return "\n\n".join(parts) + "\n"


def _grid(rows: Sequence[Row], shown: Callable[[Row], str]) -> str:
    """Return a table with a line per arm and a column per ratio."""
    rows = [row for row in rows if shown(row)]
    ratios = sorted({row["ratio"] for row in rows if row["ratio"] is not None})
    arms = dict.fromkeys(row["arm"] for row in rows)
    cells = {(row["arm"], row["ratio"]): shown(row) for row in rows}
    # Without ratios there is one column; else a row that belongs to no ratio stands for all of them.
    columns: list[float | None] = [*ratios] or [None]
    unrated = bool(ratios) and any(row["ratio"] is None for row in rows)
    head = ["arm", *(["any"] if unrated else []), *(_ratio(ratio) or "%" for ratio in columns)]
    lines = [
        [arm, *([cells.get((arm, None), "")] if unrated else []), *(cells.get((arm, ratio), "") for ratio in columns)]
        for arm in arms
    ]
    return _markdown(head, lines)


def _sizes(rows: Sequence[Row]) -> str:
    head = [
        "arm", "asked", "weights", "multiplications", "parameters", "without dead neurons", "weights kept per layer",
    ]  # fmt: skip
    whole = dict.fromkeys(row["arm"] for row in rows if row["compression"] == 1)
    # A network that was not pruned is as large at every ratio: one line says it.
    shown = [row for row in rows if row["arm"] not in whole]
    shown = [next(row for row in rows if row["arm"] == arm) for arm in whole] + shown
    lines = [
        [
            row["arm"],
            "" if row["arm"] in whole else _ratio(row["ratio"]),
            f"{row['compression']:.1f}x fewer",
            f"{row['speed_up']:.1f}x fewer",
            f"{row['parameters']:,.0f}",
            f"{row['parameters_without_dead']:,}" if "parameters_without_dead" in row else "",
            ", ".join(f"{layer} {_share(kept)}" for layer, kept in row["kept"].items()),
        ]
        for row in shown
    ]
    return _markdown(head, lines)


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("--:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.4g}x"


def _share(kept: float) -> str:
    return f"{100 * kept:.3g} %"


def _spread(value: Mapping[str, float | None] | None, *, signed: bool = False) -> str:
    if value is None:
        return ""
    mean = f"{value['mean']:{'+' if signed else ''}.2f}"
    return mean if value["deviation"] is None else f"{mean} ± {value['deviation']:.2f}"
