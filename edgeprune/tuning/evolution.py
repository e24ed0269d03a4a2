"""New schedules from the best ones measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import tvm

from edgeprune.tuning.design import Design, Point
from edgeprune.tuning.mutate import mutated
from edgeprune.tuning.ranking import Ranking

_PARENTS = 12
_CHILDREN = 160
# Shares of what is proposed: of strangers among the children, and of picks that ignore the model.
_STRANGERS = 0.2
_BLIND = 0.1
# Random schedules per design to draw strangers and mates from.
_SAMPLES = 6
# So many rounds of children without a new one among them end the search.
_BARREN = 3


class Evolution:
    """Choices that were measured, and further ones: mutants of the fastest, best predicted first."""

    def __init__(self, module: tvm.IRModule, designs: list[Design], model: Ranking, seed: int) -> None:
        """``designs`` may grow later on."""
        self._module = module
        self._designs = designs
        self._model = model
        self._generator = np.random.default_rng(seed)
        self._seen: set[Point] = set()
        self._measured: list[tuple[float, Point]] = []
        self._sampled: dict[int, list[Point]] = {}

    def is_new(self, point: Point) -> bool:
        """Return whether ``point`` was neither measured nor marked."""
        return point not in self._seen

    def mark(self, point: Point) -> None:
        """Do not propose ``point`` any more."""
        self._seen.add(point)

    def add(self, point: Point, seconds: float | None) -> None:
        """Take in a measured point, ``None``: it failed."""
        self._seen.add(point)
        if seconds is not None:
            self._measured.append((seconds, point))

    def points(self) -> Iterator[Point]:
        """Yield new points, most promising first, until none is found."""
        barren = 0
        while barren < _BARREN:
            children = [child for child in dict.fromkeys(self._children()) if self.is_new(child)]
            barren = 0 if children else barren + 1
            yield from self._ordered(children)

    def _children(self) -> list[Point]:
        ranked = sorted(self._measured, key=lambda entry: (entry[0], entry[1].design, repr(entry[1].decisions)))
        parents = [point for _, point in ranked[:_PARENTS]]
        children: list[Point] = []
        for _ in range(_CHILDREN):
            if not parents or self._generator.random() < _STRANGERS:
                children += self._stranger()
            else:
                # The faster a parent, the more children.
                rank = int(len(parents) * self._generator.random() ** 2)
                children += self._child(parents[rank])
        return children

    def _child(self, parent: Point) -> list[Point]:
        design = self._designs[parent.design]
        mates = self._strangers(parent.design)
        if not design.samples or not mates:
            return []
        mate = mates[int(self._generator.integers(len(mates)))]
        return [Point(parent.design, mutated(parent.decisions, design.samples, mate.decisions, self._generator))]

    def _stranger(self) -> list[Point]:
        """Draw any point: a mutant of a random one where the design has more than the few drawn at first."""
        number = int(self._generator.integers(len(self._designs)))
        strangers = self._strangers(number)
        if not strangers:
            return []
        drawn = strangers[int(self._generator.integers(len(strangers)))]
        return [drawn] if self.is_new(drawn) else self._child(drawn)

    def _strangers(self, number: int) -> Sequence[Point]:
        if number not in self._sampled:
            design = self._designs[number]
            found = (design.sample(self._module, int(self._generator.integers(1, 2**31))) for _ in range(_SAMPLES))
            points = [Point(number, design.decisions(schedule.trace)) for schedule in found if schedule is not None]
            self._sampled[number] = list(dict.fromkeys(points))
        return self._sampled[number]

    def _ordered(self, points: list[Point]) -> list[Point]:
        """Sort by predicted speed; where nothing can be predicted yet, and for a few picks in between, at random."""
        scores = self._generator.uniform(0, 1, len(points))
        blind = self._generator.uniform(0, 1, len(points)) < _BLIND
        for number in {point.design for point in points}:
            own = [place for place, point in enumerate(points) if point.design == number]
            predicted = self._model.scores(self._designs[number].family, [points[place].decisions for place in own])
            if predicted is not None:
                scores[own] = np.where(blind[own], 1 + scores[own], predicted)
        return [points[place] for place in np.argsort(-scores, kind="stable")]
