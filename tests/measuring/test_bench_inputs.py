"""Golden inputs made from a seed: the same bits in Python and in C, on every kind of CPU."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeprune.golden_inputs import is_large, made_inputs, were_made
from edgeprune.toolchain.zig import run_zig
from tests.emulator import emulator as find_emulator

HEADERS = Path(__file__).parents[2] / "edgeprune" / "measuring" / "executable"
PROGRAM = """
#include "bench_inputs.h"
#include <stdio.h>
int main(void) {
    for (uint32_t seed = 0; seed < 4; seed++)
        for (uint32_t index = 0; index < 5000; index++) {
            float value = made_input(seed, index);
            if (fwrite(&value, sizeof value, 1, stdout) != 1) return 1;
        }
    return 0;
}
"""


@pytest.mark.parametrize(
    ("triple", "emulator"),
    [
        ("x86_64-linux-musl", None),
        pytest.param("aarch64-linux-musl", ("qemu-aarch64", "cortex-a53"), marks=pytest.mark.slow),
        pytest.param("arm-linux-musleabihf", ("qemu-arm", "cortex-a7"), marks=pytest.mark.slow),
    ],
)
def test_c_makes_the_same_bits(tmp_path: Path, triple: str, emulator: tuple[str, str] | None) -> None:
    qemu = find_emulator(emulator[0]) if emulator is not None else None
    source, program = tmp_path / "make.c", tmp_path / "make"
    source.write_text(PROGRAM)
    strict = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    run_zig("compiling", ["cc", "-target", triple, "-static", *strict, f"-I{HEADERS}", str(source), "-o", str(program)])
    command, environment = [str(program)], None
    if qemu is not None and emulator is not None:
        command, environment = qemu.command(command, cpu=emulator[1]), qemu.environment()
    finished = subprocess.run(command, env=environment, capture_output=True, check=True)
    expected = np.concatenate([made_inputs(seed, 5000) for seed in range(4)])
    assert finished.stdout == expected.tobytes()


def test_values_are_spread_evenly_over_their_range() -> None:
    values = made_inputs(0, 100_000)
    counts, _ = np.histogram(values, bins=16, range=(-2, 2))
    assert values.min() >= -2 and values.max() < 2
    assert np.abs(counts - 6250).max() < 5 * np.sqrt(6250)
    assert abs(float(values.mean())) < 0.01
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.01
    assert abs(np.corrcoef(values, made_inputs(1, 100_000))[0, 1]) < 0.01
    assert (values[:3] * 2**22).tolist() == [-8388608.0, -3060184.0, -5180221.0]


def test_made_inputs_are_told_from_others() -> None:
    rows = np.stack([made_inputs(seed, 100) for seed in range(3)])
    assert were_made(rows)
    assert were_made(rows.reshape(3, 4, 25))
    assert not were_made(rows[1:])
    rows[2, 99] = np.nextafter(rows[2, 99], np.float32(3))
    assert not were_made(rows)


def test_large_is_what_would_not_fit_twice() -> None:
    assert not is_large(3 * 32 * 32, 10)
    assert not is_large(4095, 1)
    assert is_large(4096, 1)
