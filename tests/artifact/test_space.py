"""A disk that is full is named, where the compiler that met it says nothing of it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from edgeprune.artifact import build_artifact
from edgeprune.artifact.space import explaining_little_space
from edgeprune.errors import StageFailure, UserError
from edgeprune.target import find_target
from tests.artifact.conftest import Built


@pytest.mark.parametrize(("free", "told"), [(100 * 1024, True), (100 * 2**20, False)])
def test_a_failure_on_a_full_disk_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, told: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**30, 2**30 - free, free))
    with pytest.raises(StageFailure) as caught, explaining_little_space(tmp_path / "work"):
        raise StageFailure("linking x: zig failed:\nexit code -6")
    said = f"{tmp_path}: only 100 KiB are free there; free some, or set TMPDIR (linking x: zig failed)"
    assert str(caught.value) == (said if told else "linking x: zig failed:\nexit code -6")


def test_a_write_that_fails_names_the_place_of_intermediate_files(tmp_path: Path) -> None:
    with pytest.raises(StageFailure) as caught, explaining_little_space(tmp_path / "work"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(caught.value) == f"{tmp_path}: cannot be written: No space left on device; free some, or set TMPDIR"


def test_an_output_disk_that_fills_up_leaves_the_old_artifact_alone(
    host_artifact: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, destination: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(destination))

    out = tmp_path / "artifact"
    out.mkdir()
    (out / "old.txt").write_text("from an earlier build")
    monkeypatch.setattr("edgeprune.artifact.build.shutil.copy", full)
    with pytest.raises(UserError, match="artifact: cannot be written: No space left on device"):
        build_artifact(
            host_artifact.program,
            find_target("host"),
            out,
            model="lenet5",
            variant="pruned",
            golden_inputs=host_artifact.inputs,
            golden_outputs=host_artifact.outputs,
        )
    assert [path.name for path in out.iterdir()] == ["old.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]
