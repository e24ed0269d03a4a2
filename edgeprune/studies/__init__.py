"""Comparisons as data: arms of one recipe, operating points, seeds; run, summarised, drawn."""

from edgeprune.studies.find import find_study, list_studies
from edgeprune.studies.schema import Arm, Study

__all__ = ["Arm", "Study", "find_study", "list_studies"]
