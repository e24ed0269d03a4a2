"""Which seeds a study runs with."""

from __future__ import annotations

from itertools import count, islice

from edgeprune.studies.schema import Study


def chosen_seeds(study: Study, wanted: int | None) -> list[int]:
    """Return the first ``wanted`` seeds of the study, counting on after its largest where it names fewer."""
    if wanted is None:
        return study.seeds
    return [*study.seeds, *islice(count(max(study.seeds) + 1), max(0, wanted - len(study.seeds)))][:wanted]
