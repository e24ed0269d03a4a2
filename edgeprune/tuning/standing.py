"""How a tuning run stands, for people who watch it."""

from __future__ import annotations

import time

from edgeprune.progress import Table
from edgeprune.tuning.kernel_state import KernelState

_COLUMNS = ("kernel", "calls", "untuned", "best", "share", "trials", "failed")
# A rate over less than this says little.
_SETTLED_SECONDS = 3.0


class Standing:
    """What ``states`` come to: time per inference, trials per second and what is left."""

    def __init__(self, states: list[KernelState]) -> None:
        """Trials count from now."""
        self._states = states
        self._first: float | None = None

    def headline(self) -> str:
        """Return one line: the best time per inference so far, the speed of tuning, and the time left."""
        if self._first is None:
            self._first = time.monotonic()
        known, complete = self._seconds()
        line = f"{known * 1e6:.1f} µs per inference" + ("" if complete else " in the kernels so far")
        elapsed = time.monotonic() - self._first
        made = sum(state.trials for state in self._states)
        if elapsed < _SETTLED_SECONDS or made < 2:
            return line
        rate = (made - 1) / elapsed
        left = sum(state.remaining + state.in_flight for state in self._states)
        return f"{line}, {rate:.1f} trials/s, about {_duration(left / rate)} left"

    def table(self) -> Table:
        """Return the kernels, most time first."""
        total, _ = self._seconds()
        ordered = sorted(self._states, key=lambda state: -_spent(state))
        rows = tuple(
            (
                state.kernel.name,
                str(state.kernel.calls),
                _microseconds(state.baseline),
                _microseconds(state.best),
                f"{_spent(state) / total:.0%}" if total else "",
                # A larger budget, or another network, may have brought more than this one's share.
                f"{(done := state.trials + state.reused)}/{max(done, state.quota)}",
                str(sum(state.failures.values()) or ""),
            )
            for state in ordered
            if state.quota
        )
        return Table(_COLUMNS, rows)

    def _seconds(self) -> tuple[float, bool]:
        times = [(state.kernel.calls, state.used) for state in self._states]
        known = [calls * seconds for calls, seconds in times if seconds is not None]
        return sum(known), len(known) == len(times)


def _spent(state: KernelState) -> float:
    return state.kernel.calls * (state.used or 0.0)


def _microseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e6:.1f} µs"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
