"""Where a kernel stands while its network is tuned, and which kernel is next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from edgeprune.tuning.database import Trial
from edgeprune.tuning.kernels import Kernel
from edgeprune.tuning.result import KernelResult

BATCH = 8
# A kernel is given up when this many trials in a row (and a third of its quota) brought less than 1 %.
_PATIENCE = 32
_WORTHWHILE = 0.99
# Each batch without progress halves what the next one is expected to bring.
_FADING = 0.5


class KernelState:
    """A kernel's quota, history and best time.

    ``untuned_key`` says of which untuned schedule ``baseline`` is the time; ``in_flight`` counts trials that were
    proposed and have no outcome yet.
    """

    def __init__(self, kernel: Kernel, quota: int, known: Iterable[Trial], untuned_key: str = "") -> None:
        self.kernel = kernel
        self.quota = quota
        self.untuned_key = untuned_key
        self.trials = 0
        self.in_flight = 0
        self.exhausted = False
        self.best: float | None = None
        self.baseline: float | None = None
        self.failures: Counter[str] = Counter()
        self._since_progress = 0
        self.reused = 0
        for trial in known:
            self._take_in(trial)
            self.reused += 1

    @property
    def remaining(self) -> int:
        """Return how many trials are still to be proposed: none once the kernel no longer improves."""
        if self.exhausted or self._since_progress >= max(_PATIENCE, self.quota // 3):
            return 0
        return max(0, self.quota - self.reused - self.trials - self.in_flight)

    @property
    def stale(self) -> bool:
        """Return whether there are records, but no time of the schedule they must beat to be used."""
        return self.best is not None and self.baseline is None

    @property
    def used(self) -> float | None:
        """Return the seconds per call of the schedule that would be built now."""
        return min((time for time in (self.best, self.baseline) if time is not None), default=None)

    @property
    def expected_gain(self) -> float:
        """Return a score for making this kernel's next batch now: seconds per inference at stake."""
        if self.best is None:
            return float("inf")
        barren = (self._since_progress + self.in_flight) // BATCH
        return float(self.kernel.calls * self.best * _FADING**barren)

    def add(self, trial: Trial) -> None:
        """Count a trial made now."""
        self.trials += 1
        self._take_in(trial)

    def result(self) -> KernelResult:
        """Return the state as it is reported."""
        return KernelResult(
            name=self.kernel.name,
            workload=self.kernel.workload,
            calls=self.kernel.calls,
            trials=self.trials,
            reused=self.reused,
            failures=dict(sorted(self.failures.items())),
            best_us=None if self.best is None else self.best * 1e6,
            baseline_us=None if self.baseline is None else self.baseline * 1e6,
        )

    def _take_in(self, trial: Trial) -> None:
        if trial.seconds is None:
            self.failures[trial.reason or "unknown"] += 1
            self._since_progress += 1
            return
        if self.best is None or trial.seconds < self.best * _WORTHWHILE:
            self._since_progress = 0
        else:
            self._since_progress += 1
        self.best = trial.seconds if self.best is None else min(self.best, trial.seconds)


def next_kernel(states: list[KernelState], places: int = 1) -> KernelState | None:
    """Return the kernel whose next batch promises most, ``None`` if none has trials to start now.

    A kernel whose last batch is still running waits until half of it is done, so that the next one is proposed
    knowing that; where ``places`` boards measure, so many batches more may run.
    """
    most = BATCH * (places - 1) + BATCH // 2
    ready = [state for state in states if state.remaining > 0 and state.in_flight <= most]
    return max(ready, key=lambda state: (state.expected_gain, -state.in_flight), default=None)
