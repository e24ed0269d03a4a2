"""What a tuning run found, kernel by kernel."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class KernelResult:
    """One kernel after tuning.

    ``calls`` is how often one inference runs it. ``trials`` were made by this run, ``reused`` were in the database
    before; ``failures`` counts both by reason. Times are µs per call: ``best_us`` of the best valid schedule,
    ``baseline_us`` of the schedule without any tuning (``None``: not measured in this run).
    """

    name: str
    workload: str
    calls: int
    trials: int
    reused: int
    failures: dict[str, int]
    best_us: float | None
    baseline_us: float | None

    @property
    def used_us(self) -> float | None:
        """Return the time of the schedule that is built: the untuned one where no record beats it."""
        known = [time for time in (self.best_us, self.baseline_us) if time is not None]
        return min(known, default=None)


@dataclass(frozen=True)
class TuningResult:
    """All kernels of a network after tuning.

    ``provenance`` says what the times are, ``basis`` where they come from in words; ``note`` why there were no trials,
    if there were none.
    """

    target: str
    descriptor: str
    provenance: Literal["measured", "estimated"]
    basis: str
    kernels: tuple[KernelResult, ...]
    trials: int
    seconds: float
    note: str

    @property
    def hit_rate(self) -> float:
        """Return the fraction of kernels for which the database holds a valid record."""
        return sum(kernel.best_us is not None for kernel in self.kernels) / max(1, len(self.kernels))

    @property
    def best_us(self) -> float | None:
        """Return the sum over one inference of the times of the schedules used, ``None`` while one is unknown."""
        total = 0.0
        for kernel in self.kernels:
            if kernel.used_us is None:
                return None
            total += kernel.calls * kernel.used_us
        return total

    def as_dict(self) -> dict[str, Any]:
        """Return everything, the derived figures included, as JSON-able values."""
        return {**asdict(self), "hit_rate": self.hit_rate, "best_us": self.best_us}
