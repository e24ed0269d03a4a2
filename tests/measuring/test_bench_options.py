"""The benchmark executable's options: what each changes, and what each refuses, here and on emulated ARM."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeprune.target import find_target
from tests.emulator import emulator
from tests.measuring.board_files import answer, lay_out, make_asked

pytestmark = pytest.mark.slow
Link = Callable[..., Path]
CPU = "sys/devices/system/cpu"


@dataclass(frozen=True)
class Start:
    """What starts the executable, under the target's emulator where it has one."""

    argv: list[str]
    environment: dict[str, str]


def command(artifact: Path, target: str) -> Start:
    executable = [str(artifact / "tiny-bench")]
    wanted = find_target(target).emulator
    if wanted is None:
        return Start(executable, {})
    found = emulator(wanted.program)
    return Start(found.command(executable, cpu=wanted.cpu), found.environment())


def run(start: Start, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [*start.argv, *options]
    return subprocess.run(argv, env=start.environment, capture_output=True, text=True, check=False)


def result(start: Start, *options: str) -> dict[str, Any]:
    done = run(start, *options)
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.parametrize("target", ["host", "rpi3", "cortex-a7"])
def test_all_options_at_once(link: Link, tmp_path: Path, target: str) -> None:
    core = min(os.sched_getaffinity(0))
    hot = lay_out(tmp_path, {"sys/class/thermal/thermal_zone0/temp": "41000\n"})
    options = [
        *("--warmup", "2", "--warmup-seconds", "0.01", "--samples", "5", "--cold", "--profile", "4"),
        *("--threads", "2", "--affinity", str(core), "--cooldown", "45C", "--sysroot", str(hot)),
    ]
    document = result(command(link(target, "THREADED"), target), *options)
    assert (document["threads"], document["cores_used"]) == (2, str(core))
    assert document["warmup"] >= 2
    assert len(document["samples_ns"]) == 5
    assert document["cold_bytes"] == 16 * 2**20
    assert (document["cooldown"]["until_millidegrees"], document["cooldown"]["reached"]) == (45000, True)
    assert [row["step"] for row in document["profile"]] == ["double: mul", "add: add, relu"]
    assert [len(row["samples_ns"]) for row in document["profile"]] == [4, 4]
    first, second = (min(row["samples_ns"]) for row in document["profile"])
    assert first > second > 0
    assert document["environment"]["before"]["affinity"] == str(core)
    clock = document["clock"]
    assert abs(clock["elapsed_raw_ns"] - clock["elapsed_ns"]) < 0.01 * clock["elapsed_ns"] + 1e6


def test_without_options_nothing_of_it_happens(link: Link) -> None:
    document = result(command(link("host"), "host"), "--samples", "3")
    assert [document[key] for key in ("threads", "cold_bytes", "cooldown", "profile")] == [1, None, None, None]


@pytest.mark.parametrize("form", ["{core}", "{core}-{core}", "0x{mask:x}", "0x{mask:X}"])
def test_cores_are_named_by_list_or_mask(link: Link, form: str) -> None:
    core = max(os.sched_getaffinity(0))
    wanted = form.format(core=core, mask=1 << core)
    document = result(command(link("host"), "host"), "--samples", "200", "--affinity", wanted)
    assert (document["environment"]["after"]["affinity"], document["cores_used"]) == (str(core), str(core))


@pytest.mark.parametrize(("wanted", "slowest_is"), [("little", 0), ("big", 1)])
@pytest.mark.parametrize("file", ["cpu_capacity", "cpufreq/cpuinfo_max_freq"])
def test_big_and_little_come_from_what_the_board_says(
    link: Link, tmp_path: Path, wanted: str, slowest_is: int, file: str
) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        pytest.skip("this machine lends one core only")
    speeds = {cores[0]: "1024", cores[1]: "446"} if wanted == "big" else {cores[0]: "446", cores[1]: "1024"}
    root = lay_out(tmp_path, {f"{CPU}/cpu{core}/{file}": f"{speed}\n" for core, speed in speeds.items()})
    document = result(command(link("host"), "host"), "--check-only", "--affinity", wanted, "--sysroot", str(root))
    assert document["environment"]["before"]["affinity"] == str(cores[0])


def test_cold_runs_read_the_caches_size_and_are_slower(link: Link, tmp_path: Path) -> None:
    root = lay_out(tmp_path, {f"{CPU}/cpu0/cache/index{n}/size": f"{size}\n" for n, size in enumerate(("32K", "12M"))})
    start = command(link("host"), "host")
    cold = result(start, "--samples", "20", "--cold", "--sysroot", str(root))
    warm = result(start, "--samples", "20")
    assert cold["cold_bytes"] == 24 * 2**20
    assert np.median(cold["samples_ns"]) > np.median(warm["samples_ns"])


def test_a_cooldown_in_seconds_waits(link: Link) -> None:
    document = result(command(link("host"), "host"), "--samples", "1", "--cooldown", "0.2")
    assert document["cooldown"]["until_millidegrees"] is None
    assert 0.2e9 <= document["cooldown"]["waited_ns"] < 5e9


def test_a_board_too_hot_is_waited_for(link: Link, tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0/temp"
    make_asked(zone)
    options = ["--samples", "1", "--cooldown", "45C", "--sysroot", str(tmp_path)]
    process = subprocess.Popen([*command(link("host"), "host").argv, *options], stdout=subprocess.PIPE, text=True)
    answer(zone, "60000\n", process, afterwards="45000\n")
    output, _ = process.communicate(timeout=60)
    cooldown = json.loads(output)["cooldown"]
    assert cooldown["reached"]
    assert cooldown["waited_ns"] >= 0.25e9  # one look at 60 degrees, one a quarter of a second later


@pytest.mark.parametrize(
    ("macros", "options", "message"),
    [
        ((), ["--threads", "2"], "this network was built for one thread; --threads can only be 1"),
        ((), ["--threads", "0"], "unknown option or missing or wrong value: --threads"),
        ((), ["--affinity", "0-"], "--affinity takes big, little, a mask (0xF0) or a list (4-7), not 0-"),
        ((), ["--affinity", "0x"], "--affinity takes big, little, a mask (0xF0) or a list (4-7), not 0x"),
        ((), ["--affinity", "3-1"], "--affinity takes big, little, a mask (0xF0) or a list (4-7), not 3-1"),
        ((), ["--affinity", "1023"], "the kernel has none of these cores for this process: --affinity 1023"),
        (
            (),
            ["--affinity", "big", "--sysroot", "/nowhere"],
            "this board does not tell big cores from little ones; give --affinity as a list, not big",
        ),
        ((), ["--cooldown", "55K"], "unknown option or missing or wrong value: --cooldown"),
        (
            (),
            ["--cooldown", "55C", "--sysroot", "/nowhere"],
            "this board shows no temperature; give --cooldown in seconds",
        ),
        ((), ["--cold", "--region"], "--cold, --profile and --cooldown do nothing where nothing is timed"),
        (("UNPROFILED",), ["--profile", "3"], "this executable was built without --profile"),
    ],
)
def test_what_cannot_be_done_is_said(link: Link, macros: tuple[str, ...], options: list[str], message: str) -> None:
    done = run(command(link("host", *macros), "host"), *options)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"tiny-bench: {message}\n")


def test_threads_that_the_network_refuses(link: Link) -> None:
    done = run(command(link("host", "THREADED"), "host"), "--threads", "3")
    assert (done.returncode, done.stdout, done.stderr) == (5, "", "tiny-bench: the network returned error -7\n")
