"""An output directory is there whole or not at all, however the command ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeprune.cli import whole_directory as module
from edgeprune.cli.whole_directory import whole_directory
from edgeprune.errors import StageFailure, UserError

# Says when it is inside, then waits for what ends it.
INSIDE = """\
import signal, sys, time
from pathlib import Path
from edgeprune.cli.whole_directory import whole_directory

# Also where the tests themselves were begun in a shell's background, which lets programs ignore an interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
with whole_directory(Path("out"), force=False) as partial:
    (partial / "half").write_text("half")
    print("inside", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(module.__file__).parents[2]))


def started() -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", INSIDE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "inside\n"
    return process


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_nothing_is_left_of_a_command_told_to_end(number: signal.Signals, code: int) -> None:
    process = started()
    process.send_signal(number)
    assert process.wait(30) == code
    assert names() == []


def test_the_next_command_removes_what_a_killed_one_left(monkeypatch: pytest.MonkeyPatch) -> None:
    process = started()
    process.kill()
    process.wait(30)
    (left,) = names()
    with whole_directory(Path("out"), force=False):
        assert left in names()  # too young: its maker might be about to lock it
    old = time.time() - 3600
    os.utime(left, (old, old))
    Path(".out-mine").mkdir()
    os.utime(".out-mine", (old, old))
    with whole_directory(Path("other"), force=False):
        assert left in names()
    with whole_directory(Path("out"), force=False):
        assert left not in names()
    assert names() == [".out-mine", "other", "out"]


def test_a_command_that_still_works_keeps_its_directory() -> None:
    process = started()
    (busy,) = names()
    old = time.time() - 3600
    os.utime(busy, (old, old))
    with whole_directory(Path("out"), force=False):
        assert busy in names()
    process.kill()
    process.wait(30)


@pytest.mark.parametrize("kind", [UserError, StageFailure])
def test_an_error_names_the_place_that_was_asked_for(kind: type[UserError]) -> None:
    with pytest.raises(kind) as caught, whole_directory(Path("out"), force=False) as partial:
        raise kind(f"{partial / 'artifact'}: cannot be written: No space left on device")
    assert str(caught.value) == "out: cannot be written: No space left on device"
    assert names() == []


def test_a_full_disk_is_told_of_the_place_that_was_asked_for() -> None:
    with pytest.raises(OSError, match="No space left") as caught, whole_directory(Path("out"), force=False) as partial:
        raise OSError(errno.ENOSPC, "No space left on device", str(partial / "module.json"))
    assert caught.value.filename == "out"
    assert names() == []


@pytest.mark.parametrize("own", ["manifest.json", "relax-vm.json", "lowered.json", "tuning.json"])
def test_force_replaces_what_edgeprune_made(own: str) -> None:
    Path("out").mkdir()
    (Path("out") / own).write_text("{}")
    with (
        pytest.raises(UserError, match="out: holds something already; --force replaces it"),
        whole_directory(Path("out"), force=False),
    ):
        pass
    with whole_directory(Path("out"), force=True) as partial:
        (partial / "new").write_text("new")
    assert [path.name for path in Path("out").iterdir()] == ["new"]
