from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from edgeprune.recipe import Train
from edgeprune.training import fit
from tests.training.tiny_training import make_model, make_splits

ROOT = Path(__file__).parents[2]
SETTINGS = Train(epochs=40, batch_size=8, learning_rate=0.02, weight_decay=1e-3, augment_shift=1)
CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.training.test_kill import train
print("started", flush=True)
train(Path(sys.argv[2]), Path(sys.argv[3]))
"""


def train(checkpoint: Path, result: Path) -> None:
    from safetensors.torch import save_file

    model = make_model()
    fit(model, make_splits(), SETTINGS, seed=5, checkpoint=checkpoint)
    save_file(model.state_dict(), result)


@pytest.mark.slow
def test_killed_again_and_again_ends_in_the_same_bytes(tmp_path: Path) -> None:
    """Kill the process at different moments, each time further on, then let one run come through."""
    wanted = tmp_path / "wanted.safetensors"
    command = [sys.executable, "-c", CODE, str(ROOT), str(tmp_path / "whole.ckpt"), str(wanted)]
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    result = tmp_path / "result.safetensors"
    checkpoint, kills = tmp_path / "cut.ckpt", 0
    while not result.exists():
        last = kills == 4
        command = [sys.executable, "-c", CODE, str(ROOT), str(checkpoint), str(result)]
        running = subprocess.Popen(
            command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert running.stdout is not None and running.stdout.readline() == b"started\n"
        if last:
            assert running.wait(120) == 0
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        # One more epoch, so that the runs get on; then a kill in the middle of whatever it does.
        while running.poll() is None and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
            time.sleep(0.001)
        time.sleep(0.007 * kills)
        if running.poll() is None:
            running.send_signal(signal.SIGKILL)
        kills += running.wait() == -signal.SIGKILL
        running.stdout.close()
        assert running.stderr is not None
        running.stderr.close()
    assert kills == 4
    assert result.read_bytes() == wanted.read_bytes()
    assert load_file(result).keys() == make_model().state_dict().keys()
