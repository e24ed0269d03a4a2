"""No library that edgeprune brings reports on its user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.lowering.networks import lenet5


def test_onnxruntime_keeps_nothing_to_report(tmp_path: Path) -> None:
    """Left alone it makes a database of events below the cache directory as soon as a session is made."""
    home = tmp_path / "home"
    home.mkdir()
    network = lenet5(tmp_path / "network.onnx", first=2, second=3, hidden=4)
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "TMPDIR": str(home)}
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = "import sys, pathlib, edgeprune.onnx_reference as r; r.made_records(pathlib.Path(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", code, str(network)], env={**kept, **places}, check=True, cwd=Path(__file__).parents[1]
    )
    assert [path for path in home.rglob("*") if path.is_file()] == []
