"""What one round of pruning and retraining did."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgeprune.training.history import History


@dataclass(frozen=True)
class Round:
    """One round: ``amount`` of the recipe's unit was gone after it; accuracies are fractions of the validation split.

    ``live`` counts the parameters' entries that no mask holds at zero. ``before_retraining`` is what the weights that
    survived give, also where retraining then starts from other values; where the network is pruned while it trains,
    what it gives before all of it.
    """

    number: int
    amount: float
    live: int
    before_retraining: float
    after_retraining: float
    history: History

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self) | {"history": self.history.as_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Round:
        """Return what :meth:`as_dict` gave."""
        return cls(**(data | {"history": History.from_dict(data["history"])}))
