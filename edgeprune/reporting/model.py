"""The typed content of a report: what one run found, ready to be written, printed or compared."""

from __future__ import annotations

from typing import Literal

from edgeprune.reporting.device import Fact, Parity, TargetResult, Variant
from edgeprune.reporting.figure import Accuracy, Figure, Part


class DataSummary(Part):
    """The data in a sentence, and the number of samples in each split."""

    description: str
    training: int
    validation: int
    test: int


class Network(Part):
    """One variant of the network, before any target is chosen."""

    test: Accuracy
    validation: Accuracy
    parameters: Figure
    macs: Figure


class Epoch(Part):
    """One epoch of the dense training; ``epoch`` counts from 1, ``loss`` is the mean training loss."""

    epoch: int
    loss: Figure
    validation: Figure


class Round(Part):
    """State after one pruning round with its retraining; ``ratio`` is dense parameters over parameters left."""

    round: int
    ratio: Figure
    parameters: Figure
    validation: Figure


class Layer(Part):
    """Output channels or neurons of one layer before and after; ``pinned`` says why nothing may be removed."""

    name: str
    kind: str
    before: Figure
    after: Figure
    pinned: str | None = None


class NotRun(Part):
    """A step that did not run, and why."""

    what: str
    reason: str


class BudgetLine(Part):
    """A limit of the recipe's budget on a board, in the unit of ``taken``, and what the pruned network takes there."""

    target: str
    name: str
    limit: float
    taken: Figure

    @property
    def met(self) -> bool:
        """Whether it is known to be kept."""
        return self.taken.value is not None and self.taken.value <= self.limit

    @property
    def allowed(self) -> Figure:
        """The limit as a figure."""
        return Figure.computed(self.limit, self.taken.unit)


class Stage(Part):
    """How long a stage took when it last ran."""

    name: str
    seconds: Figure


class Report(Part):
    """Everything a run found; each number is a ``Figure``.

    ``created`` is an ISO 8601 time in UTC, ``machine`` the CPU model (never the host's name), ``parity`` the borders
    that no target has a part in.
    """

    format: Literal[2] = 2
    title: str
    description: str
    created: str
    command: str
    seed: int
    machine: str
    versions: dict[str, str]
    data: DataSummary
    settings: tuple[Fact, ...]
    dense: Network
    pruned: Network
    epochs: tuple[Epoch, ...] = ()
    rounds: tuple[Round, ...] = ()
    layers: tuple[Layer, ...] = ()
    parity: tuple[Parity, ...] = ()
    targets: tuple[TargetResult, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    budget: tuple[BudgetLine, ...] = ()
    stages: tuple[Stage, ...] = ()

    def target(self, name: str) -> TargetResult | None:
        """Return what that board gave, ``None`` where it is not in the report."""
        return next((target for target in self.targets if target.name == name), None)

    def network(self, variant: Variant) -> Network:
        """Return the network of that variant."""
        return self.dense if variant == "dense" else self.pruned
