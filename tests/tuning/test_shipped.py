"""Records that come with edgeprune."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import tvm

from edgeprune.tuning import shipped
from edgeprune.tuning.database import Database
from edgeprune.tuning.descriptor import Descriptor
from edgeprune.tuning.records_file import export_records, read_descriptor

DEVICE = Descriptor("aarch64-linux-gnu", "cortex-a53", (), "", 1, tvm.__version__, "0123")
SIBLING = dataclasses.replace(DEVICE, cpu="cortex-a72", core_model="")
WORKLOAD = ["111", "bW9kdWxl"]


def record(name: str, seconds: float) -> list[object]:
    return [[[name], []], [seconds], {"kind": "llvm"}, []]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of shipped files: DEVICE's with two trials."""
    directory = tmp_path / "files"
    directory.mkdir()
    monkeypatch.setattr(shipped, "_DIRECTORY", directory)
    source = Database(tmp_path / "source", DEVICE)
    source.append(WORKLOAD, record("a", 2e-6), None)
    source.append(WORKLOAD, record("b", 1e-6), None)
    source.set_baseline("111", 3e-6, "s")
    export_records(source, shipped.shipped_file(DEVICE))
    return directory


def test_a_device_and_its_siblings_take_a_file_once(files: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert shipped.take_shipped(root, DEVICE) == 2
    assert [trial.seconds for trial in Database(DEVICE.directory(root), DEVICE).trials("111")] == [2e-6, 1e-6]
    assert shipped.take_shipped(root, DEVICE) == 0
    other = tmp_path / "other"
    assert shipped.take_shipped(other, SIBLING) == 0
    assert len(Database(DEVICE.directory(other), DEVICE).trials("111")) == 2


def test_other_instructions_take_nothing(files: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for change in ({"triple": "x86_64-linux-gnu"}, {"tvm": "0.28.0"}):
        assert shipped.take_shipped(root, dataclasses.replace(SIBLING, **change)) == 0
    assert not root.exists()


def test_the_users_own_trials_stay_first(files: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    mine = Database(DEVICE.directory(root), DEVICE)
    mine.append(WORKLOAD, record("b", 9e-6), None)
    assert shipped.take_shipped(root, DEVICE) == 1
    trials = Database(DEVICE.directory(root), DEVICE).trials("111")
    assert [trial.seconds for trial in trials] == [9e-6, 2e-6]


def test_what_is_shipped_can_be_taken_and_is_small() -> None:
    for file in shipped.shipped_files():
        descriptor = read_descriptor(file)
        assert shipped.shipped_file(descriptor) == file
        assert file.stat().st_size < 300_000
