"""A plan: which indices of which parameters stay, and what that makes of the network."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from edgeprune.errors import UserError
from edgeprune.pruning.coupling import Prefer

Kept = dict[str, dict[int, tuple[int, ...]]]
"""Parameter or buffer name -> axis -> original indices that stay; only axes that lose something are listed."""

_FORMAT = 1


@dataclass(frozen=True)
class LayerPlan:
    """One layer's output channels before and after; ``pinned`` says why none, or not as many as asked, could go."""

    name: str
    kind: str
    before: int
    after: int
    pinned: str | None


@dataclass(frozen=True)
class Plan:
    """What is removed from a network.

    Parameters, multiply-accumulates (per sample) and output channels are counted over the whole network. ``inputs`` are
    the shapes and types the network was traced with, ``folds`` what removed constant channels add to a bias (or, where
    a batch normalisation follows, to its running mean) that stays, indexed as in the original; what is beyond the last
    is 0. ``prefer`` says which of two ways to cut grouped convolutions the plan was made with (see ``Prefer``).
    """

    layers: tuple[LayerPlan, ...]
    kept: Kept
    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int
    channels_before: int
    channels_after: int
    inputs: tuple[tuple[tuple[int, ...], str], ...] = ()
    folds: dict[str, tuple[float, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    prefer: Prefer = "channel"

    def to_json(self) -> str:
        """Return the plan as JSON text; ``from_json`` reads it back equal."""
        return json.dumps(
            {
                "format": _FORMAT,
                "parameters": {"before": self.parameters_before, "after": self.parameters_after},
                "macs": {"before": self.macs_before, "after": self.macs_after},
                "channels": {"before": self.channels_before, "after": self.channels_after},
                "layers": [vars(layer) for layer in self.layers],
                "inputs": [{"shape": list(shape), "dtype": dtype} for shape, dtype in self.inputs],
                "notes": list(self.notes),
                "prefer": self.prefer,
                "folds": {name: list(values) for name, values in self.folds.items()},
                "kept": {
                    name: {str(axis): list(indices) for axis, indices in axes.items()}
                    for name, axes in self.kept.items()
                },
            },
            indent=1,
        )

    @staticmethod
    def from_json(text: str) -> Plan:
        """Read a plan written by ``to_json``.

        Raises:
            UserError: the text is no such plan.
        """
        try:
            data = json.loads(text)
            if data["format"] != _FORMAT:
                raise UserError(f"plan: format {data['format']!r} is not {_FORMAT}; make the plan again")
            return _read(data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"plan: not a plan written by edgeprune: {type(error).__name__}: {error}") from error


def _read(data: dict[str, Any]) -> Plan:
    return Plan(
        layers=tuple(LayerPlan(**layer) for layer in data["layers"]),
        kept={
            name: {int(axis): tuple(int(index) for index in indices) for axis, indices in axes.items()}
            for name, axes in data["kept"].items()
        },
        parameters_before=data["parameters"]["before"],
        parameters_after=data["parameters"]["after"],
        macs_before=data["macs"]["before"],
        macs_after=data["macs"]["after"],
        channels_before=data["channels"]["before"],
        channels_after=data["channels"]["after"],
        inputs=tuple((tuple(entry["shape"]), entry["dtype"]) for entry in data["inputs"]),
        folds={name: tuple(values) for name, values in data["folds"].items()},
        notes=tuple(data["notes"]),
        prefer=data.get("prefer", "channel"),
    )
