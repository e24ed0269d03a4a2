"""One network through every engine: outputs checked, then timed in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ParityError
from edgeprune.golden_inputs import made_inputs
from edgeprune.measuring.statistics import Interval, median_interval, ratio_interval
from edgeprune.parity import compare
from peers.engine import Refused, Signature, Tensor
from peers.process import EngineProcess

REFERENCE = "onnxruntime"
TOLERANCE = 1e-3
"""Largest relative error of an engine's outputs: float32 convolutions by Winograd's method round at 1e-5 to 1e-4."""


@dataclass(frozen=True)
class Turns:
    """So many ``rounds`` in which each engine runs for about ``seconds``, and at most ``most`` inferences."""

    rounds: int
    seconds: float
    most: int


@dataclass(frozen=True)
class Entrant:
    """What takes part under ``name``: an engine, by its module's name (``engine``, the same unless it enters twice).

    ``prepared`` is what the engine reads where the network was converted before.
    """

    name: str
    engine: str = ""
    prepared: Path | None = None

    @property
    def module(self) -> str:
        """Return the engine's name."""
        return self.engine or self.name


@dataclass(frozen=True)
class Row:
    """One entrant on one network. Times in microseconds; "not run" has the ``reason`` instead of figures.

    ``ratio`` is the median over the rounds of this engine's median over the fastest one's, with its interval;
    ``round_p50_us`` and ``round_min_us`` are the medians and the fastest inferences of the rounds, in order, for other
    ratios.
    """

    network: str
    engine: str
    provenance: Literal["measured", "not run"]
    version: str | None = None
    reason: str | None = None
    relative_error: float | None = None
    inferences: int | None = None
    p50_us: float | None = None
    p50_interval_us: Interval | None = None
    ratio: float | None = None
    ratio_interval: Interval | None = None
    round_p50_us: tuple[float, ...] = ()
    round_min_us: tuple[float, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, nested, as JSON-able values."""
        return asdict(self)


def seeded_inputs(signature: Signature) -> list[Tensor]:
    """Return one record of inputs, the same every time."""
    return [
        made_inputs(number, int(np.prod(shape))).astype(np.float32).reshape(shape)
        for number, (_, shape) in enumerate(signature.inputs)
    ]


def contest(
    network: Path,
    signature: Signature,
    entrants: Sequence[Entrant],
    *,
    threads: int,
    cores: Sequence[int],
    turns: Turns,
    say: Callable[[str], None],
) -> list[Row]:
    """Return a row per entrant; the reference comes first, as the others' outputs are compared with its own.

    Raises:
        Refused: the reference itself cannot take the network.
    """
    inputs = seeded_inputs(signature)
    rows: dict[str, Row] = {}
    with ExitStack() as stack:
        running: dict[str, EngineProcess] = {}
        expected: list[Tensor] = []
        for entrant in sorted(entrants, key=lambda entrant: entrant.name != REFERENCE):
            name = entrant.name
            process = stack.enter_context(EngineProcess(entrant.module, network, threads, cores))
            try:
                version = process.load(entrant.prepared)
                outputs = process.infer(inputs)
                error = _largest_error(expected or outputs, outputs, name)
            except (Refused, ParityError) as refusal:
                if name == REFERENCE:
                    raise Refused(f"{REFERENCE} cannot take {network.name}: {refusal}") from refusal
                say(f"{network.name}: {name}: not run: {refusal}")
                rows[name] = Row(network.stem, name, "not run", reason=str(refusal))
                continue
            expected = expected or outputs
            running[name] = process
            rows[name] = Row(network.stem, name, "measured", version=version, relative_error=error)
            say(f"{network.name}: {name} {version}: outputs agree ({error:.1e})")
        taken = _take_turns(running, turns)
    timed = _with_figures(rows, taken)
    return [timed[entrant.name] for entrant in entrants]


def _largest_error(expected: Sequence[Tensor], outputs: Sequence[Tensor], name: str) -> float:
    border = f"{REFERENCE} | {name}"
    pairs = zip(expected, outputs, strict=True)
    return max(compare(one, other, border=border, tolerance=TOLERANCE).relative_error for one, other in pairs)


def _take_turns(running: dict[str, EngineProcess], turns: Turns) -> dict[str, list[NDArray[np.int64]]]:
    """Let the engines run in turns A B C A B C ..., so that a slow change of the machine hits all alike."""
    for process in running.values():
        process.pause()
    counts = {}
    for name, process in running.items():
        once = float(np.median(_turn(process, warmup=3, count=5)))
        counts[name] = int(min(max(turns.seconds * 1e9 / once, 3), turns.most))
    taken: dict[str, list[NDArray[np.int64]]] = {name: [] for name in running}
    for _ in range(turns.rounds):
        for name, process in running.items():
            taken[name].append(_turn(process, warmup=2, count=counts[name]))
    return taken


def _turn(process: EngineProcess, *, warmup: int, count: int) -> NDArray[np.int64]:
    """Time one engine while all others are stopped, whose idle threads may spin for a while."""
    process.resume()
    try:
        return process.time(warmup=warmup, count=count)
    finally:
        process.pause()


def _with_figures(rows: dict[str, Row], taken: dict[str, list[NDArray[np.int64]]]) -> dict[str, Row]:
    medians = {name: np.array([np.median(samples) for samples in rounds]) for name, rounds in taken.items()}
    best = min(medians, key=lambda name: float(np.median(medians[name])))
    found = dict(rows)
    for name, rounds in taken.items():
        samples = np.concatenate(rounds)
        interval = median_interval(samples, seed=0)
        ratios = medians[name] / medians[best]
        found[name] = Row(
            **{
                **vars(rows[name]),
                "inferences": len(samples),
                "p50_us": float(np.median(samples)) / 1000,
                "p50_interval_us": Interval(interval.low / 1000, interval.high / 1000, interval.confidence),
                "ratio": float(np.median(ratios)),
                "ratio_interval": ratio_interval(ratios, seed=0),
                "round_p50_us": tuple(round(float(value) / 1000, 4) for value in medians[name]),
                "round_min_us": tuple(round(float(samples.min()) / 1000, 4) for samples in rounds),
            }
        )
    return found
