"""Choices as numbers: fitted to other loops, mutated, ranked."""

from __future__ import annotations

from math import prod
from types import SimpleNamespace

import numpy as np
import pytest

from edgeprune.tuning.design import CATEGORY, TILE, fitted
from edgeprune.tuning.mutate import mutated
from edgeprune.tuning.ranking import Ranking


@pytest.mark.parametrize(
    ("made", "extents", "expected"),
    [
        (((2, 4, 4),), ((1, 1, 24),), ((2, 3, 4),)),
        (((1, 8), 3), ((1, 20), 0), ((4, 5), 3)),
        (((4, 1),), ((1, 7),), ((7, 1),)),
    ],
)
def test_tiles_are_lowered_to_what_divides_other_loops(
    made: tuple[object, ...], extents: tuple[object, ...], expected: tuple[object, ...]
) -> None:
    assert fitted(made, extents) == expected  # type: ignore[arg-type]


def test_mutants_keep_the_loops_and_their_bounds() -> None:
    samples = [
        SimpleNamespace(kind=SimpleNamespace(name=TILE), attrs=[3, 8]),
        SimpleNamespace(kind=SimpleNamespace(name=CATEGORY), attrs=[[0, 16, 64], []]),
        SimpleNamespace(kind=SimpleNamespace(name="SampleComputeLocation"), attrs=[]),
    ]
    generator = np.random.default_rng(5)
    point, mate = ((2, 3, 4), 1, 7), ((24, 1, 1), 2, -1)
    seen = set()
    for _ in range(400):
        tile, category, place = mutated(point, samples, mate, generator)  # type: ignore[arg-type]
        assert isinstance(tile, tuple)
        assert prod(tile) == 24
        assert tile[-1] <= 8
        assert category in (0, 1, 2)
        assert place in (7, -1)
        seen.add((tile, category, place))
    # The tile's neighbours by one prime factor, other categories, and the mate's place.
    assert {(1, 6, 4), (4, 3, 2), (2, 6, 2), (6, 1, 4)} <= {tile for tile, _, _ in seen}
    assert {category for _, category, _ in seen} == {0, 1, 2}
    assert {place for _, _, place in seen} == {7, -1}


def test_a_model_learns_which_tile_is_fast_and_shares_it_within_a_family() -> None:
    ranking = Ranking()
    tiles = [((16 // inner, inner), unroll) for inner in (1, 2, 4, 8, 16) for unroll in (0, 1, 2)]
    assert ranking.scores("family", tiles) is None
    for decisions in tiles:
        tile = decisions[0]
        assert isinstance(tile, tuple)
        ranking.add("family", "kernel", decisions, 1e-6 * (1 + abs(tile[1] - 4)))
    ranking.add("family", "kernel", ((16, 1), 3), None)
    scores = ranking.scores("family", [((4, 4), 0), ((1, 16), 0)])
    assert scores is not None
    assert scores[0] > scores[1] + 0.2
    assert ranking.scores("other", tiles) is None
