"""What every part of the bench is given, and how it hands over its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.engine import Refused

from tuning_bench.goals import Verdict
from tuning_bench.networks import Network
from tuning_bench.provenance import machine, versions
from tuning_bench.results import Results, Row
from tuning_bench.workshop import Budget, Tuned, Workshop


@dataclass(frozen=True)
class Part:
    """The settings of a run. ``prepare_only`` makes everything that takes long and times nothing.

    ``stock_trials`` is the budget of stock MetaSchedule in the part "curve", 0 its own.
    """

    name: str
    workshop: Workshop
    results: Results
    networks: Sequence[Network]
    budget: Budget
    threads: Sequence[int]
    engines: Sequence[str]
    stock_trials: int
    quick: bool
    prepare_only: bool
    command: str
    say: Callable[[str], None]

    def tuned(
        self, path: Path, target: str, budget: Budget | None = None, *, emulated: bool = False
    ) -> tuple[Tuned | None, str]:
        """Return the records of a network, or ``None`` and why there are none.

        ``emulated`` boards are tuned by estimated cycles.
        """
        budget = budget or self.budget
        if not budget.trials:
            return None, "the budget is 0 trials"
        try:
            return self.workshop.tuned(path, target, budget, emulated=emulated), ""
        except Refused as refusal:
            self.say(f"{self.name}: {path.name} for {target}: not tuned: {refusal}")
            return None, str(refusal)

    def missing(self, name: str, code: str, settings: dict[str, Any]) -> bool:
        """Tell whether a row must be made, and say so where it need not."""
        there = self.results.has(self.name, name, code, settings)
        if there:
            self.say(f"{self.name}: {name}: already there")
        return not there

    def put(
        self, name: str, code: str, settings: dict[str, Any], figures: dict[str, Any], verdicts: Sequence[Verdict] = ()
    ) -> None:
        """Enter a row."""
        row = Row(
            part=self.name,
            name=name,
            code=code,
            settings=settings,
            machine=machine(),
            versions=versions(),
            command=self.command,
            figures=figures,
            verdicts=tuple(verdicts),
        )
        self.results.put(row)
        for verdict in verdicts:
            self.say(f"{self.name}: {name}: {in_words(verdict)}")


def in_words(verdict: Verdict) -> str:
    """Return a verdict as a line."""
    if verdict.value is None:
        return f"{verdict.goal}: {'not measured' if verdict.met is None else 'missed'}: {verdict.reason}"
    interval = "" if verdict.low is None or verdict.high is None else f" [{verdict.low:.3g}, {verdict.high:.3g}]"
    outcome = "met" if verdict.met else f"missed {verdict.missed_by:.3g} times"
    return f"{verdict.goal}: {verdict.value:.3g}{interval} {verdict.sense} {verdict.limit:.3g}: {outcome}"
