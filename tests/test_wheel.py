"""The package as it is published: built, installed beside nothing of the source tree, and used from elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.lowering.networks import lenet5

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """Run without what would let Python find the source tree."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the programs of an environment with the wheel, which sees this one's packages but edgeprune."""
    pytest.importorskip("hatchling", reason="pip install -e '.[dev]' brings what builds the wheel")
    place = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place, cwd=ROOT)
    run(sys.executable, "-m", "venv", "--without-pip", place / "venv", cwd=place)
    (wheel,) = place.glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", place / "venv", "install", "-q", "--no-deps", wheel, cwd=place)
    (packages,) = (place / "venv").glob("lib/python*/site-packages")
    # What such a line adds is searched for packages, but not for further .pth files: a source tree stays out.
    seen = [path for path in sys.path if path.endswith("site-packages")] or [sysconfig.get_path("purelib")]
    (packages / "dependencies.pth").write_text("\n".join(seen) + "\n")
    return place / "venv" / "bin"


@pytest.mark.slow
def test_the_wheel_lists_its_targets_and_recipes(installed: Path, tmp_path: Path) -> None:
    where = run(installed / "python", "-c", "import edgeprune; print(edgeprune.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    for kind in ("targets", "recipes"):
        found = json.loads(run(installed / "edgeprune", kind, "list", "--json", cwd=tmp_path))
        names = {entry["name"] for entry in found} if isinstance(found, list) else set(found)
        assert names >= {path.stem for path in (ROOT / kind).glob("*.toml")}


@pytest.mark.slow
def test_the_wheel_builds_an_artifact(installed: Path, tmp_path: Path) -> None:
    network = lenet5(tmp_path / "tiny.onnx", first=2, second=3, hidden=8)
    out = tmp_path / "out"
    run(installed / "edgeprune", "build", network, "--target", "host", "--threads", "2", "--out", out, cwd=tmp_path)
    assert json.loads((out / "manifest.json").read_text())["threads"] == 2
    check = json.loads(run(out / "tiny-bench", "--check-only", "--threads", "2", cwd=tmp_path))["check"]
    assert check["passed"] is True
