"""`edgeprune tune status` and its siblings, as typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeprune.cli.main import run_command
from edgeprune.cli.tune import _RESULT
from edgeprune.stages.tune import RESULT


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEPRUNE_CACHE", str(tmp_path / "cache"))


def test_what_comes_with_edgeprune_is_known_before_anything_is_tuned(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["tune", "status"], debug=False) == 0
    assert capsys.readouterr().out == "no records yet; 'edgeprune tune MODEL.onnx' makes them\n"
    assert run_command(["tune", "status", "--target", "rpi3"], debug=False) == 0
    head, *kernels = capsys.readouterr().out.splitlines()
    assert head.startswith("cortex-a53, 1 thread(s)")
    assert len(kernels) > 10
    assert all(" trials" in line for line in kernels)
    assert run_command(["tune", "export", "--target", "rpi3", "--out", "records.zip"], debug=False) == 0
    assert capsys.readouterr().out.startswith("records.zip: ")


def test_a_device_without_records_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["tune", "status", "--target", "host"], debug=False) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["  no trials yet"]
    assert run_command(["tune", "export", "--target", "host", "--out", "records.zip"], debug=False) == 2
    assert "no trials to export" in capsys.readouterr().err
    assert not Path("records.zip").exists()


def test_an_export_where_nothing_can_be_written_is_the_users_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["tune", "export", "--target", "rpi3", "--out", "absent/records.zip"], debug=False) == 2
    assert "absent/records.zip: cannot be written" in capsys.readouterr().err


def test_resuming_replaces_an_earlier_result_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    Path("artifact").mkdir()
    (Path("artifact") / "manifest.json").write_text("{}")
    command = ["tune", "model.onnx", "--target", "host", "--out", "artifact", "--resume"]
    assert run_command(command, debug=False) == 2
    assert capsys.readouterr().err == "error: artifact: holds something already; --force replaces it\n"
    (Path("artifact") / _RESULT).write_text("{}")
    assert run_command(command, debug=False) == 2
    assert "model.onnx: no such file" in capsys.readouterr().err
    assert _RESULT == RESULT
