"""The shipped C sources, linked by zig and run here: check first, every sample kept, what is absent is null."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.measuring.board_files import lay_out

pytestmark = pytest.mark.slow
Link = Callable[..., Path]


def run(artifact: Path, *options: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
    command = [artifact / "tiny-bench", *options]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | keywords
    return subprocess.run(command, text=True, check=False, **streams)


def result(artifact: Path, *options: str) -> dict[str, Any]:
    done = run(artifact, *options)
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def cores_of_this_process() -> str:
    """Return the cores in the kernel's own spelling."""
    status = Path("/proc/self/status").read_text()
    return next(line.split()[1] for line in status.splitlines() if line.startswith("Cpus_allowed_list"))


def test_it_checks_then_keeps_every_sample(link: Link) -> None:
    document = result(link("host"), "--warmup", "3", "--samples", "7")
    assert (document["model"], document["version"], document["warmup"]) == ("tiny", "0.1", 3)
    assert document["check"] == {
        "passed": True, "golden": 2, "max_relative_error": 0.0, "tolerance": 1e-5,
        "worst": {"golden": 0, "output": 0, "element": 0},
    }  # fmt: skip
    assert len(document["samples_ns"]) == 7
    assert sum(document["samples_ns"]) <= document["clock"]["elapsed_ns"]


def test_seconds_extend_the_run_beyond_the_samples(link: Link) -> None:
    started = time.monotonic()
    document = result(link("host"), "--samples", "2", "--seconds", "0.25")
    assert 0.25 <= time.monotonic() - started < 5
    assert document["clock"]["elapsed_ns"] >= 250_000_000
    # Far more than was reserved for two: room was made between inferences.
    assert len(document["samples_ns"]) > 1000
    assert document["samples_ns"][-1] > 0


def test_samples_follow_the_work(link: Link) -> None:
    short = np.median(result(link("host", "WORK=20000"), "--samples", "50")["samples_ns"])
    long = np.median(result(link("host", "WORK=200000"), "--samples", "50")["samples_ns"])
    assert 5 < long / short < 20


def test_the_stack_lies_elsewhere_every_five_samples(link: Link) -> None:
    # Check and warm-up run at up to two places of their own, which may be among the 256 of a page.
    for samples, places in ((5, range(1, 4)), (6, range(2, 5)), (100, range(20, 23)), (1280, (256,))):
        done = run(link("host", "PLACES"), "--samples", str(samples), "--warmup", "3")
        assert done.returncode == 0
        found = int(done.stderr.removeprefix("stack at ").removesuffix(" places\n"))
        assert found in places
        assert len(json.loads(done.stdout)["samples_ns"]) == samples


@pytest.mark.parametrize(
    ("macro", "error", "worst"),
    [
        ("WRONG_GOLDEN", pytest.approx(0.5 / 10.5, rel=1e-6), {"golden": 1, "output": 0, "element": 2}),
        ("NOT_FINITE", None, {"golden": 0, "output": 0, "element": 1}),
    ],
)
def test_a_wrong_answer_stops_everything(link: Link, macro: str, error: Any, worst: dict[str, int]) -> None:
    done = run(link("host", macro), "--samples", "5")
    assert done.returncode == 3
    assert done.stderr == "tiny-bench: the golden check failed: this binary computes wrong values here\n"
    document = json.loads(done.stdout)
    assert document["samples_ns"] == []
    assert (document["check"]["passed"], document["check"]["max_relative_error"]) == (False, error)
    assert document["check"]["worst"] == worst


def test_a_failing_network_is_an_error_of_its_own(link: Link) -> None:
    done = run(link("host", "MODEL_ERROR"))
    assert (done.returncode, done.stderr) == (5, "tiny-bench: the network returned error 4\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--nonsense"], "unknown option or missing or wrong value: --nonsense"),
        (["--samples"], "unknown option or missing or wrong value: --samples"),
        (["--samples", "0"], "unknown option or missing or wrong value: --samples"),
        (["--samples", "-3"], "unknown option or missing or wrong value: --samples"),
        (["--warmup", "3x"], "unknown option or missing or wrong value: --warmup"),
        (["--warmup", "99999999999999999999"], "unknown option or missing or wrong value: --warmup"),
        (["--seconds", "1.5.2"], "unknown option or missing or wrong value: --seconds"),
        (["--input", "x"], "--input and --output go together"),
        (["--check-only", "--region"], "choose one of --input, --check-only and --region"),
    ],
)
def test_wrong_usage(link: Link, options: list[str], message: str) -> None:
    done = run(link("host"), *options)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"tiny-bench: {message}\n")


def test_records_run_from_file_to_file(link: Link, tmp_path: Path) -> None:
    records = np.random.default_rng(0).normal(size=(1000, 4)).astype("<f4")
    records.tofile(tmp_path / "in")
    document = result(link("host"), "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"))
    assert (document["records"], document["samples_ns"]) == (1000, [])
    answers = np.fromfile(tmp_path / "out", dtype="<f4").reshape(1000, 3)
    np.testing.assert_array_equal(answers, 2 * records[:, :3] + records[:, 3:])


def test_a_record_cut_short_leaves_no_output(link: Link, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(16 + 5))
    done = run(link("host"), "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"))
    assert (done.returncode, done.stderr) == (4, f"tiny-bench: cannot read whole records from {tmp_path}/in\n")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_full_output_is_an_error(link: Link, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(link("host"), "--samples", "5", stdout=full)
    assert (done.returncode, done.stderr) == (4, "tiny-bench: cannot write to the standard output\n")
    (tmp_path / "in").write_bytes(bytes(16))
    done = run(link("host"), "--input", str(tmp_path / "in"), "--output", "/nowhere/out")
    assert (done.returncode, done.stderr) == (4, "tiny-bench: cannot create /nowhere/out.part\n")


def test_more_than_memory_holds_is_an_error(link: Link, tmp_path: Path) -> None:
    done = run(link("host"), "--samples", str(10**18))
    assert (done.returncode, done.stdout, done.stderr) == (4, "", "tiny-bench: not enough memory\n")
    (tmp_path / "in").write_bytes(bytes(16))
    done = run(link("host"), "--input", str(tmp_path / "in"), "--output", "x" * 4095)
    assert (done.returncode, done.stderr) == (2, f"tiny-bench: the path is too long: {'x' * 4095}\n")


def test_what_a_board_says_is_recorded_and_what_is_absent_is_null(link: Link, tmp_path: Path) -> None:
    cpu = "sys/devices/system/cpu"
    lay_out(
        tmp_path,
        {
            "proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 38.40\nCPU implementer\t: 0x41\nCPU part\t: 0xd03\n\n"
            "processor\t: 1\nCPU part\t: 0xd08\n\nHardware\t: BCM2835\n",
            "proc/self/status": "Name:\tx\nVmHWM:\t    1234 kB\n",
            "proc/loadavg": "0.20 0.18 0.12 1/80 11206\n",
            "proc/device-tree/model": 'Raspberry Pi 3 "B"\0',
            f"{cpu}/online": "0,2\n",
            f"{cpu}/cpu0/cpufreq/scaling_governor": "ondemand\n",
            f"{cpu}/cpu0/cpufreq/scaling_cur_freq": "600000\n",
            f"{cpu}/cpu0/cpu_capacity": "446\n",
            f"{cpu}/cpu2/cpufreq/scaling_cur_freq": "garbage\n",
            f"{cpu}/cpu2/thermal_throttle/package_throttle_count": "3\n",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "-1500\n",
            "sys/class/thermal/cooling_device1/type": "cpufreq-cpu0\n",
            "sys/class/thermal/cooling_device1/cur_state": "2\n",
            "sys/class/thermal/cooling_device1/max_state": "7\n",
            "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
        },
    )
    environment = result(link("host"), "--check-only", "--sysroot", str(tmp_path))["environment"]
    assert environment["cpu"] == {
        "model": None, "hardware": "BCM2835", "implementer": "0x41", "parts": ["0xd03", "0xd08"],
    }  # fmt: skip
    assert environment["board"] == 'Raspberry Pi 3 "B"'
    assert environment["before"] == environment["after"]
    silent = dict.fromkeys(
        ("capacity", "governor", "frequency_khz", "minimum_khz", "maximum_khz", "hardware_maximum_khz",
         "throttle_count", "package_throttle_count"),
    )  # fmt: skip
    assert environment["before"] == {
        "affinity": cores_of_this_process(), "memory_peak_kib": 1234, "loadavg": "0.20 0.18 0.12 1/80 11206",
        "online": "0,2", "raspberry_throttled": "50005",
        "cores": [
            silent | {"core": 0, "governor": "ondemand", "frequency_khz": 600000, "capacity": 446},
            silent | {"core": 2, "package_throttle_count": 3},
        ],
        "thermal_zones": [{"type": "cpu-thermal", "millidegrees": -1500}],
        "cooling_devices": [{"type": "cpufreq-cpu0", "state": 2, "highest_state": 7}],
    }  # fmt: skip


def test_a_board_that_says_nothing(link: Link, tmp_path: Path) -> None:
    environment = result(link("host"), "--check-only", "--sysroot", str(tmp_path))["environment"]
    assert (environment["board"], environment["cpu"]) == (None, None)
    assert {name for name, value in environment["after"].items() if value is not None} == {"affinity"}


@pytest.mark.parametrize("target", ["host", "rpi3", "cortex-a7"])
def test_it_is_small(link: Link, target: str) -> None:
    assert (link(target) / "tiny-bench").stat().st_size < 40_000
