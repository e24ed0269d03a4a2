from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
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
from tests.training.test_kill import die_after_an_epoch, train
if len(sys.argv) > 4:
    die_after_an_epoch(Path(sys.argv[2]), float(sys.argv[4]))
train(Path(sys.argv[2]), Path(sys.argv[3]))
"""


def train(checkpoint: Path, result: Path) -> None:
    from safetensors.torch import save_file

    model = make_model()
    fit(model, make_splits(), SETTINGS, seed=5, checkpoint=checkpoint)
    save_file(model.state_dict(), result)


def die_after_an_epoch(checkpoint: Path, delay: float) -> None:
    """End this process without a word, ``delay`` seconds after its next epoch: in the middle of whatever it does."""
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0

    def watch() -> None:
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
            time.sleep(0.001)
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


@pytest.mark.slow
def test_killed_again_and_again_ends_in_the_same_bytes(tmp_path: Path) -> None:
    checkpoint, result, wanted = (tmp_path / name for name in ("cut.ckpt", "result", "wanted"))
    start([tmp_path / "whole.ckpt", wanted], ended=0)
    for kills in range(4):
        start([checkpoint, result, 0.007 * kills], ended=-signal.SIGKILL)
    start([checkpoint, result], ended=0)
    assert result.read_bytes() == wanted.read_bytes()
    assert load_file(result).keys() == make_model().state_dict().keys()


def start(words: list[object], ended: int) -> None:
    command = [sys.executable, "-c", CODE, str(ROOT), *map(str, words)]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, check=False)
    assert done.returncode == ended, done.stderr.decode()
