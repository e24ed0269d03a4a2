"""A stage is whole or absent, is not run twice, and goes on after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from edgeprune.errors import StageFailure, UserError
from edgeprune.pipeline.lock import run_lock
from edgeprune.pipeline.stage import RECORD, Stage, run_stage
from edgeprune.progress import Progress, SilentProgress


def counting_stage(calls: list[int], **changes: object) -> Stage:
    def work(out: Path, progress: Progress) -> None:
        calls.append(len(calls))
        (out / "result.txt").write_text(f"run {len(calls)}")

    fields: dict[str, object] = {"name": "part/one", "work": work, "settings": {"amount": 1}}
    return Stage(**(fields | changes))  # type: ignore[arg-type]


def test_a_second_run_does_no_work(tmp_path: Path) -> None:
    calls: list[int] = []
    first = run_stage(tmp_path, counting_stage(calls), SilentProgress())
    second = run_stage(tmp_path, counting_stage(calls), SilentProgress())
    assert (first.ran, second.ran, calls) == (True, False, [0])
    assert second.seconds == first.seconds
    assert (tmp_path / "part/one/result.txt").read_text() == "run 1"
    assert sorted(p.name for p in (tmp_path / "part/one").iterdir()) == ["result.txt", RECORD]


def test_a_changed_setting_or_input_runs_again(tmp_path: Path) -> None:
    calls: list[int] = []
    source = tmp_path / "input.txt"
    source.write_text("a")
    run_stage(tmp_path, counting_stage(calls, inputs={"source": source}), SilentProgress())
    run_stage(tmp_path, counting_stage(calls, inputs={"source": source}, settings={"amount": 2}), SilentProgress())
    source.write_text("b")
    run_stage(tmp_path, counting_stage(calls, inputs={"source": source}, settings={"amount": 2}), SilentProgress())
    assert calls == [0, 1, 2]
    assert (tmp_path / "part/one/result.txt").read_text() == "run 3"


def test_an_altered_output_is_noticed(tmp_path: Path) -> None:
    calls: list[int] = []
    run_stage(tmp_path, counting_stage(calls), SilentProgress())
    (tmp_path / "part/one/result.txt").write_text("forged")
    assert run_stage(tmp_path, counting_stage(calls), SilentProgress()).ran
    assert (tmp_path / "part/one/result.txt").read_text() == "run 2"


def test_a_failed_stage_leaves_nothing_under_its_name_and_keeps_the_old_result(tmp_path: Path) -> None:
    calls: list[int] = []
    run_stage(tmp_path, counting_stage(calls), SilentProgress())

    def fail(out: Path, progress: Progress) -> None:
        (out / "result.txt").write_text("half")
        raise StageFailure("disk on fire")

    with pytest.raises(StageFailure, match="disk on fire"):
        run_stage(tmp_path, counting_stage(calls, work=fail, settings={"amount": 2}), SilentProgress())
    assert (tmp_path / "part/one/result.txt").read_text() == "run 1"
    assert not run_stage(tmp_path, counting_stage(calls), SilentProgress()).ran


KILLED = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from edgeprune.pipeline.stage import Stage, run_stage
    from edgeprune.progress import SilentProgress

    def work(out, progress):
        log = out / "steps.txt"
        done = log.read_text().split() if log.exists() else []
        for step in range(len(done), 20):
            temporary = out / "steps.tmp"
            temporary.write_text(" ".join([*done, str(step)]))
            temporary.replace(log)
            done.append(str(step))
            time.sleep(0.01)

    result = run_stage(Path(sys.argv[1]), Stage("s", work, settings={"n": 20}), SilentProgress())
    print("ran" if result.ran else "kept")
    """
)


@pytest.mark.parametrize("delay", [0.02, 0.06, 0.11, 0.16, 0.21, 0.26])
def test_killed_at_any_moment_it_ends_with_the_same_result(tmp_path: Path, delay: float) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    while process.poll() is None and not (tmp_path / "run").exists():
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "run/s/steps.txt").read_text().split() == [str(step) for step in range(20)]
    recorded = json.loads((tmp_path / "run/s" / RECORD).read_text())
    assert recorded["settings"] == {"n": 20}
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert again.stdout == "kept\n"


def test_killed_between_the_two_renames_it_is_mended(tmp_path: Path) -> None:
    calls: list[int] = []
    run_stage(tmp_path, counting_stage(calls), SilentProgress())
    (tmp_path / ".partial").mkdir(exist_ok=True)
    (tmp_path / "part/one").rename(tmp_path / ".partial/part@one")
    result = run_stage(tmp_path, counting_stage(calls), SilentProgress())
    assert (result.ran, calls) == (False, [0])
    assert (tmp_path / "part/one/result.txt").read_text() == "run 1"


def test_two_processes_do_not_share_a_run_directory(tmp_path: Path) -> None:
    refusal = rf"another edgeprune \(process {os.getpid()}\)"
    with run_lock(tmp_path), pytest.raises(UserError, match=refusal), run_lock(tmp_path):
        pass
    with run_lock(tmp_path):
        pass
