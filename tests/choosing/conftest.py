"""Artifacts that bring their clock along: it goes on by so many ns whenever it is read, so that times are exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeprune.measuring.bench_artifact import BenchArtifact
from tests.measuring.conftest import Link, link  # noqa: F401 - a fixture

Ticking = Callable[..., BenchArtifact]


@pytest.fixture
def ticking(link: Link) -> Ticking:  # noqa: F811
    """Return a function that makes an artifact each of whose inferences takes ``nanoseconds`` by its own clock."""

    def make(nanoseconds: int, *macros: str) -> BenchArtifact:
        place: Path = link("host", f"TICK={nanoseconds}", "clock_gettime=ticking_clock", *macros)
        return BenchArtifact.load(place)

    return make
