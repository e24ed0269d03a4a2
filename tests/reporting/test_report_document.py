import csv
import io
import json
from pathlib import Path

import pytest

from edgeprune.errors import UserError
from edgeprune.reporting import Report, from_json, named_figures, read_report, to_csv, to_json


def test_json_round_trip(report: Report) -> None:
    assert from_json(to_json(report)) == report


def test_json_holds_the_headline_for_its_readers(report: Report) -> None:
    headline = {(ratio["target"], ratio["name"]): ratio["ratio"] for ratio in json.loads(to_json(report))["headline"]}
    assert len(headline) == 2 + 3 * 4
    assert headline[None, "parameters"]["value"] == 31472 / 431080
    assert headline["rpi3", "instructions"] == {
        "value": 271193 / 1873554,
        "unit": "1",
        "provenance": "emulated",
        "reason": None,
    }
    assert headline["rpi3", "p50 latency"]["value"] is None
    assert headline["cortex-a7", "instructions"]["reason"] == "not run: no QEMU found; run tools/fetch_qemu.py"


def test_read_from_a_run_directory(report: Report, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text(to_json(report))
    assert read_report(tmp_path) == report
    assert read_report(tmp_path / "report" / "report.json") == report


def test_bad_files_are_named_with_their_key(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    with pytest.raises(UserError, match=rf"^{file}: no such file; `edgeprune run` writes it at the end of a run$"):
        read_report(file)
    file.write_text("{")
    with pytest.raises(UserError, match=rf"^{file}: not valid JSON: Expecting property name"):
        read_report(file)
    file.write_text("[]")
    with pytest.raises(UserError, match=rf"^{file}: \(file\): input should be an object$"):
        read_report(file)
    document = json.loads(to_json(report))
    document["dense"]["parameters"]["unit"] = "furlong"
    file.write_text(json.dumps(document))
    with pytest.raises(UserError, match=rf"^{file}: dense\.parameters\.unit: input should be '%'"):
        read_report(file)


def test_csv_has_a_row_per_figure(report: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert len(rows) == len(list(named_figures(report)))
    by_place = {(r["section"], r["target"], r["variant"], r["item"], r["figure"]): r for r in rows}
    assert len(by_place) == len(rows)
    counted = by_place["target", "rpi3", "pruned", "", "instructions"]
    assert (counted["value"], counted["unit"], counted["provenance"], counted["reason"]) == (
        "271193",
        "instructions",
        "emulated",
        "",
    )
    absent = by_place["target", "rpi3", "dense", "", "latency p50"]
    assert (absent["value"], absent["unit"], absent["provenance"], absent["reason"]) == (
        "",
        "us",
        "",
        "emulated: the wall time of an emulator is not a latency",
    )
    assert by_place["layer", "", "pruned", "fc1", "channels"]["value"] == "92"
    assert by_place["headline", "", "", "", "test accuracy change"]["value"] == "-0.05"


def test_every_figure_of_the_model_is_listed(report: Report) -> None:
    """Walk the model itself, so that a field added later cannot be forgotten in CSV and page."""
    listed = [row.figure.model_dump() for row in named_figures(report) if row.section != "headline"]
    assert sorted(map(str, listed)) == sorted(map(str, _figures_in(report.model_dump())))


def _figures_in(node: object) -> list[object]:
    if isinstance(node, dict):
        if set(node) == {"value", "unit", "provenance", "reason"}:
            return [node]
        return [figure for child in node.values() for figure in _figures_in(child)]
    if isinstance(node, tuple):
        return [figure for child in node for figure in _figures_in(child)]
    return []
