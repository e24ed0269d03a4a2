"""Finding a study by name or path."""

from __future__ import annotations

from pathlib import Path

from edgeprune.named_files import list_named, locate
from edgeprune.studies.cells import study_cells
from edgeprune.studies.schema import Study
from edgeprune.toml_file import read_toml, validate

_DIRECTORY = "recipes/studies"


def list_studies() -> dict[str, Path]:
    """Return study files by name: ``./recipes/studies`` first, then those that come with the package."""
    return list_named(_DIRECTORY)


def find_study(name_or_path: str) -> Study:
    """Return the study called ``name_or_path``; what ends in ``.toml`` is a path.

    Raises:
        UserError: no such study, or its file or the recipe that an arm makes of it is not valid.
    """
    path = locate(_DIRECTORY, "study", name_or_path)
    study = validate(Study, read_toml(path), str(path))
    study_cells(study, study.seeds)
    return study
