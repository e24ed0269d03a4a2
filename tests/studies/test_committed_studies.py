"""The studies under docs/studies: what their pages and pictures show is what their cells say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeprune.studies import Study, find_study, list_studies
from edgeprune.studies.document import study_summary
from edgeprune.studies.network_size import NetworkSize
from edgeprune.studies.table import study_page

DIRECTORY = Path(__file__).parents[2] / "docs" / "studies"
COMMITTED = sorted(path.parent for path in DIRECTORY.glob("*/study.json"))


def test_there_are_some() -> None:
    assert {path.name for path in COMMITTED} <= set(list_studies())
    assert "scope" in {path.name for path in COMMITTED}


@pytest.mark.parametrize("place", COMMITTED, ids=lambda path: path.name)
def test_page_and_summary_follow_from_the_cells(place: Path) -> None:
    document = json.loads((place / "study.json").read_text(encoding="utf-8"))
    study = Study.model_validate(document["study"])
    shipped = find_study(place.name)
    assert (study.model_copy(update={"seeds": shipped.seeds}), study.seeds[0]) == (shipped, 0)
    size = NetworkSize(**document["dense"], kept={})
    assert study_summary(study, document["cells"], size) == document["summary"]
    assert (place / "table.md").read_text(encoding="utf-8") == study_page(document)
    assert (place / "plot.png").stat().st_size < 80_000
    assert f"({place.name}/table.md)" in (DIRECTORY / "README.md").read_text(encoding="utf-8")
