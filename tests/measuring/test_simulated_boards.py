"""Boards in trouble, simulated by a directory that stands for their /sys and by a clock that jumps: each is said."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeprune.measuring.bench_run import BenchRun, read_bench_run
from edgeprune.measuring.statistics import summarise
from edgeprune.measuring.transport import Completed
from edgeprune.measuring.verdicts import judge
from tests.measuring.board_files import answer, lay_out, make_asked

pytestmark = pytest.mark.slow
Link = Callable[..., Path]
CPU = "sys/devices/system/cpu"


def healthy(root: Path) -> None:
    """A board whose every core runs at its one fixed clock."""
    for core in range(64):
        directory = f"{CPU}/cpu{core}"
        lay_out(
            root,
            {
                f"{directory}/cpufreq/scaling_governor": "performance\n",
                f"{directory}/cpufreq/scaling_cur_freq": "1400000\n",
                f"{directory}/cpufreq/scaling_max_freq": "1400000\n",
                f"{directory}/cpufreq/cpuinfo_max_freq": "1400000\n",
                f"{directory}/thermal_throttle/core_throttle_count": "7\n",
            },
        )
    lay_out(
        root,
        {
            "sys/class/thermal/thermal_zone0/temp": "45000\n",
            "sys/class/thermal/cooling_device0/type": "thermal-cpufreq-0\n",
            "sys/class/thermal/cooling_device0/cur_state": "0\n",
        },
    )


def run_board(artifact: Path, root: Path, changes: dict[str, str]) -> list[str]:
    """Run, change the board's files after their first reading and before the second; return the verdicts about it."""
    first_read, last_read = root / CPU / "online", root / "sys/class/thermal/cooling_device0/max_state"
    make_asked(first_read)
    make_asked(last_read)
    argv = [artifact / "tiny-bench", "--samples", "100", "--seconds", "0.1", "--sysroot", root]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    answer(first_read, "0-63\n", process)
    answer(last_read, "5\n", process)
    lay_out(root, changes)
    answer(first_read, "0-63\n", process)
    answer(last_read, "5\n", process)
    output, errors = process.communicate(timeout=60)
    run = read_bench_run(Completed(process.returncode, output.encode(), errors), "tiny on a simulated board")
    return [name for name in verdicts(run) if name not in ("noisy", "drifting", "bimodal", "paused")]


def verdicts(run: BenchRun) -> list[str]:
    latency = summarise(run.samples_ns)
    found = judge(run.samples_ns, latency, run.environment, run.clock, cores_used=run.cores_used)
    return [verdict.name for verdict in found]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "9\n"}, ["throttled"]),
        ({f"{CPU}/cpu{core}/cpufreq/scaling_cur_freq": "600000\n" for core in range(64)}, ["throttled"]),
        ({"sys/class/thermal/cooling_device0/cur_state": "3\n"}, ["throttled"]),
        ({f"{CPU}/cpu{core}/cpufreq/scaling_max_freq": "600000\n" for core in range(64)}, ["clock limited"]),
    ],
)
def test_a_board_that_throttles(link: Link, tmp_path: Path, changes: dict[str, str], expected: list[str]) -> None:
    healthy(tmp_path)
    assert run_board(link("host", "WORK=2000"), tmp_path, changes) == expected


@pytest.mark.parametrize(("jump", "backwards"), [(5, 0), (-5, 1)])
def test_a_clock_that_jumps(link: Link, jump: int, backwards: int) -> None:
    artifact = link("host", f"JUMP={jump}", "clock_gettime=jumping_clock")
    done = subprocess.run([artifact / "tiny-bench", "--samples", "500"], capture_output=True, check=True)
    run = read_bench_run(Completed(0, done.stdout, done.stderr), "tiny")
    assert run.clock["backwards"] == backwards
    assert "clock jumped" in verdicts(run)
