"""The tool that weighs artifacts: its rows, its page, and the bounds it holds them to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "bench_artifacts.py"
PAGE = "before\n<!-- table -->\nan old table\n<!-- end of table -->\nafter\n"


@pytest.mark.slow
def test_small_networks_on_both_kinds_of_arm(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(PAGE)
    choice = ["--networks", "lenet5-pruned", "mobilenet-v1-0.25", "--targets", "rpi3", "cortex-a7"]
    command = [sys.executable, str(TOOL), "--quick", "--json", "rows.json", "--markdown", "page.md", *choice]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [(row["network"], row["emulated_cpu"], row["winograd"]) for row in rows] == [
        ("lenet5-pruned", "cortex-a53", True),
        ("lenet5-pruned", "cortex-a53", False),
        ("lenet5-pruned", "cortex-a7", True),
        ("lenet5-pruned", "cortex-a7", False),
        ("mobilenet-v1-0.25", "cortex-a53", False),
        ("mobilenet-v1-0.25", "cortex-a7", False),
    ]
    for row in rows:
        assert row["overhead_bytes"] == row["executable_bytes"] - row["weight_bytes"]
        assert 0 < row["overhead_bytes"] <= row["allowed_overhead_bytes"]
        assert row["arena_bound_bytes"] <= row["arena_bytes"] <= 1.1 * row["arena_bound_bytes"]
        assert row["not_run"] is not None or row["max_relative_error"] <= 1e-4
    page = (tmp_path / "page.md").read_text()
    assert page.startswith("before\n<!-- table -->\nWeights are") and page.endswith("<!-- end of table -->\nafter\n")
    assert "an old table" not in page
    assert page.count("| cortex-a7 |") == 3
