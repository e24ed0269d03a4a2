"""`edgeprune measure`: what it prints, and what it refuses to ignore."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from edgeprune.cli.measure import command
from edgeprune.cli.measured_text import measurement_text
from edgeprune.errors import UserError

MEASURED = {
    "provenance": "measured",
    "check": {"max_relative_error": 1e-7},
    "latency": {
        "p50": 9638.0, "p90": 9708.0, "p99": 19290.0, "n": 22211, "windows_median": 9700.0,
        "p50_interval": {"low": 9630.0, "high": 9640.0},
    },
    "cold_bytes": None, "threads": 1, "cores_used": "1", "instructions": None, "instructions_absent": None,
    "cycles_estimated": None, "cycles_absent": None, "profile": [{"p50": 9000.0}],
    "roofline": {
        "peak": {"origin": "1 x cortex-a53 of target rpi3", "absent": "target rpi3 does not give bandwidth_gb_s"},
        "total": {"flop_per_s": 5.6e9, "flop_fraction": 0.5, "bytes_per_s": 1.5e9, "bytes_fraction": None},
        "steps": [
            {"name": "fused_conv2d", "nodes": ["conv_3", "relu_4"], "nanoseconds": 9000.0, "flop_per_s": 6e9,
             "flop_fraction": 0.536, "bytes_per_s": 1e9, "bytes_fraction": None},
        ],
    },
    "verdicts": [],
}  # fmt: skip


def test_a_measurement_in_words() -> None:
    assert measurement_text(MEASURED, steps=True).splitlines() == [
        "check passed: largest relative error 1.0e-07",
        "measured: p50 9.638 us [9.63, 9.64], p90 9.708 us, p99 19.29 us; n = 22,211, 1 thread(s) on core(s) 1",
        "measured: median of the means of five windows 9.7 us",
        "measured: 5.6 GFLOP/s (50.0% of the peak), 1.5 GB/s, by 1 x cortex-a53 of target rpi3",
        "no fraction of a peak where target rpi3 does not give bandwidth_gb_s",
        "measured, median of each step:",
        "       us  share  GFLOP/s  of peak    GB/s  of peak  kernel: ONNX nodes",
        "        9 100.0%        6    53.6%       1        -  fused_conv2d: conv_3, relu_4",
        "verdict: nothing speaks against these figures",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-t", "rpi3", "--seconds", "3"], "--seconds does nothing on rpi3, which is emulated"),
        (["-t", "rpi3", "--profile"], "--profile does nothing on rpi3, which is emulated"),
        (["-t", "host", "--against", "b", "--protocol", "quick"], "--protocol does nothing with --against"),
        (["-t", "host", "--rounds", "3"], "--rounds does nothing without --against"),
        (["-t", "host", "--affinity", "fast"], "options: affinity: write big, little, a mask"),
    ],
)
def test_nothing_is_ignored(options: list[str], message: str) -> None:
    result = CliRunner().invoke(command, ["artifact", *options])
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(message)
