from __future__ import annotations

from pathlib import Path

import pytest

from edgeprune.errors import StageFailure
from edgeprune.progress import SilentProgress
from edgeprune.recipe import Tune
from edgeprune.target import find_target
from edgeprune.tuning.database import Trial
from edgeprune.tuning.engine import _require_results, _Run
from edgeprune.tuning.kernel_state import KernelState, next_kernel
from edgeprune.tuning.kernels import Kernel
from edgeprune.tuning.quota import divide


def kernel(name: str, operations: float, *, calls: int = 1, reduces: bool = True) -> Kernel:
    return Kernel(name, calls, None, (name, ""), operations, 0, reduces)


def trial(seconds: float | None, reason: str | None = None) -> Trial:
    return Trial("k", seconds, reason, [])


KERNELS = [kernel("large", 4e7), kernel("small", 1e7), kernel("copy", 0, reduces=False)]


def test_a_budget_is_divided_by_the_root_of_the_time_and_copies_get_little() -> None:
    quota = divide(64, KERNELS)
    assert quota == {"large": 43, "small": 21, "copy": 0}
    assert divide(0, KERNELS) == {"large": 0, "small": 0, "copy": 0}
    assert divide(4000, KERNELS)["copy"] == 4


def test_a_larger_budget_never_takes_from_a_kernel() -> None:
    before = divide(0, KERNELS)
    for trials in range(1, 200):
        after = divide(trials, KERNELS)
        assert sum(after.values()) == trials
        assert all(after[name] >= before[name] for name in before)
        before = after


def test_a_budget_of_copies_alone_stays_unspent() -> None:
    assert divide(50, [kernel("copy", 0, reduces=False)]) == {"copy": 4}


def test_known_trials_count_towards_the_quota() -> None:
    state = KernelState(KERNELS[0], 10, [trial(2e-6), trial(None, "build error"), trial(1e-6)])
    assert (state.remaining, state.reused, state.trials) == (7, 3, 0)
    for _ in range(7):
        state.add(trial(None, "wrong result"))
    assert state.remaining == 0
    result = state.result()
    assert result.failures == {"build error": 1, "wrong result": 7}
    assert (result.trials, result.reused, result.best_us) == (7, 3, 1.0)


def test_a_kernel_that_no_longer_improves_is_given_up() -> None:
    state = KernelState(KERNELS[0], 1000, [trial(1e-6)])
    for _ in range(333):
        assert state.remaining > 0
        state.add(trial(0.995e-6))
    assert state.remaining == 0
    state = KernelState(KERNELS[0], 60, [trial(1e-6)] * 32)
    assert state.remaining == 28
    state.add(trial(1e-6))
    assert state.remaining == 0


def test_the_kernel_with_most_time_at_stake_is_next() -> None:
    fast, slow = KernelState(KERNELS[0], 50, [trial(1e-6)]), KernelState(KERNELS[1], 50, [trial(3e-6)])
    assert next_kernel([fast, slow]) is slow
    for _ in range(16):
        slow.add(trial(3e-6))
    assert next_kernel([fast, slow]) is fast
    unknown = KernelState(KERNELS[2], 4, [])
    assert next_kernel([fast, slow, unknown]) is unknown
    unknown.in_flight = fast.in_flight = 5
    assert next_kernel([fast, slow, unknown]) is slow
    slow.exhausted = True
    assert next_kernel([fast, slow, unknown]) is None


def test_the_untuned_schedule_is_used_where_it_is_faster() -> None:
    state = KernelState(KERNELS[0], 50, [trial(2e-6)])
    state.baseline = 1e-6
    assert state.used == 1e-6
    assert state.result().used_us == 1.0


def run_of(states: list[KernelState], listener: SilentProgress | None = None) -> _Run:
    return _Run(
        states, find_target("host"), Tune(seconds=7), None, Path(), 0, listener or SilentProgress(), 0.0,
    )  # type: ignore[arg-type]  # fmt: skip


def test_a_batch_of_failures_and_nothing_else_fails_the_run() -> None:
    failed = KernelState(KERNELS[0], 8, [trial(None, "wrong result")] * 7 + [trial(None, "run crashed")])
    valid = KernelState(KERNELS[1], 1, [trial(1e-6)])
    with pytest.raises(
        StageFailure, match="large: no valid schedule in 8 trials: 1 x run crashed, 7 x wrong result; a larger"
    ):
        _require_results(run_of([failed, valid]))
    _require_results(run_of([valid]))


def test_few_failures_leave_a_kernel_untuned_unless_nothing_else_worked() -> None:
    class Listener(SilentProgress):
        def note(self, message: str) -> None:
            notes.append(message)

    notes: list[str] = []
    failed, valid = KernelState(KERNELS[0], 1, [trial(None, "build error")]), KernelState(KERNELS[1], 1, [trial(1e-6)])
    _require_results(run_of([failed, valid], Listener()))
    assert notes == ["kernel large: no valid schedule in 1 trials: 1 x build error; it keeps its untuned schedule"]
    with pytest.raises(StageFailure, match="no valid schedule in 1 trials"):
        _require_results(run_of([failed]))


def test_time_that_ends_before_the_first_trial_is_an_error() -> None:
    too_short = r"tuning for host: 7 s ended before the first trial of 8; raise tune\.seconds \(--seconds\)"
    with pytest.raises(StageFailure, match=too_short):
        _require_results(run_of([KernelState(KERNELS[0], 8, [])]))
    # What an earlier run, or another network, has left is no trial of this run.
    with pytest.raises(StageFailure, match=too_short):
        _require_results(run_of([KernelState(KERNELS[0], 8, []), KernelState(KERNELS[1], 1, [trial(1e-6)])]))


def test_what_is_not_made_of_the_budget_is_said() -> None:
    class Listener(SilentProgress):
        def note(self, message: str) -> None:
            notes.append(message)

    notes: list[str] = []
    cut_off, done = KernelState(KERNELS[0], 8, [trial(1e-6)]), KernelState(KERNELS[1], 1, [])
    done.add(trial(1e-6))
    _require_results(run_of([cut_off, done], Listener()))
    assert notes == ["7 s are over and 7 trials of the budget not made; the same command goes on"]
    notes.clear()
    given_up = KernelState(KERNELS[0], 60, [trial(1e-6)] * 33)
    _require_results(run_of([given_up, done], Listener()))
    assert notes == [
        "27 trials of the budget were not needed: their kernels no longer improve, or have no further schedules"
    ]
    notes.clear()
    _require_results(run_of([done], Listener()))
    assert notes == []
