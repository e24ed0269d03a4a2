"""Temporary directories go with their process, and what a killed one left goes with the next of its kind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from edgeprune import scratch
from edgeprune.scratch import scratch_directory

INSIDE = """\
import time
from edgeprune.scratch import scratch_directory

with scratch_directory("tune") as place:
    (place / "half").write_text("half")
    print(place, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("PYTHONPATH", str(Path(scratch.__file__).parents[1]))


def started() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", INSIDE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_it_goes_when_the_block_ends(tmp_path: Path) -> None:
    with pytest.raises(KeyError), scratch_directory("tune") as place:
        assert place.parent == tmp_path
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_others_use_stays(tmp_path: Path) -> None:
    killed, left = started()
    killed.kill()
    killed.wait(30)
    working, used = started()
    (tmp_path / "edgeprune-tune-mine").mkdir()
    (tmp_path / "edgeprune-abcdefgh").mkdir()  # of a board's session
    try:
        with scratch_directory("tune"):
            assert left.exists()  # too young: its maker might be about to lock it
        old = time.time() - 3600
        for path in tmp_path.iterdir():
            os.utime(path, (old, old))
        with scratch_directory("build"):
            assert left.exists()
        with scratch_directory("tune"):
            assert not left.exists()
        assert sorted(tmp_path.iterdir()) == sorted(
            [used, tmp_path / "edgeprune-tune-mine", tmp_path / "edgeprune-abcdefgh"]
        )
    finally:
        working.kill()
        working.wait(30)
