"""Counting and modelling a whole network stays in proportion to emulating it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulator import emulator

TOOL = Path(__file__).parents[2] / "tools" / "emulation_speed.py"


@pytest.mark.slow
@pytest.mark.alone
def test_resnet20_with_its_cycles_takes_a_few_times_what_the_emulator_takes_for_it() -> None:
    emulator("qemu-aarch64")
    command = [sys.executable, TOOL, "--limit", "60", "--runs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert {run["instructions"] for run in found["runs"]} == {found["runs"][0]["instructions"]}
    assert {run["cycles_estimated"] for run in found["runs"]} == {found["runs"][0]["cycles_estimated"]}
    quickest = min(run["processor_seconds"] for run in found["runs"])
    # Three times, and half of that edgeprune's own start, at the time of writing.
    assert quickest < 6 * found["emulator_alone_processor_seconds"]
