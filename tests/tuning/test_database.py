from __future__ import annotations

import dataclasses
import itertools
import json
import multiprocessing
import pickle
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from edgeprune.errors import UserError
from edgeprune.target import Target
from edgeprune.tuning.database import FAILED_SECONDS, RECORDS, WORKLOADS, Baseline, Database
from edgeprune.tuning.descriptor import Descriptor, describe

DEVICE = Descriptor("x86_64-linux-gnu", "znver3", (), "", 1, "0.27.0")
WORKLOAD = ["111", "bW9kdWxl"]


def record(name: str, seconds: float) -> list[object]:
    return [[[name], []], [seconds], {"kind": "llvm"}, []]


def test_trials_come_back_in_order_with_times_and_reasons(tmp_path: Path) -> None:
    database = Database(tmp_path / "db", DEVICE)
    database.append(WORKLOAD, record("a", 2e-6), None)
    database.append(WORKLOAD, record("b", FAILED_SECONDS), "build error")
    database.append(WORKLOAD, record("c", 1e-6), None)
    for opened in (database, Database(tmp_path / "db", DEVICE)):
        trials = opened.trials("111")
        assert [(trial.seconds, trial.reason) for trial in trials] == [
            (2e-6, None),
            (None, "build error"),
            (1e-6, None),
        ]
        assert [trial.record[0][0] for trial in opened.best("111", 5)] == [["c"], ["a"]]
        assert opened.trials("222") == []


def test_a_killed_writer_costs_its_last_line_only(tmp_path: Path) -> None:
    database = Database(tmp_path / "db", DEVICE)
    database.append(WORKLOAD, record("a", 2e-6), None)
    database.append(WORKLOAD, record("b", 1e-6), None)
    path = tmp_path / "db" / RECORDS
    path.write_bytes(path.read_bytes()[:-7])
    opened = Database(tmp_path / "db", DEVICE)
    assert opened.dropped_bytes == len(json.dumps([0, record("b", 1e-6)], separators=(",", ":"))) + 1 - 7
    assert [trial.seconds for trial in opened.trials("111")] == [2e-6]
    opened.append(WORKLOAD, record("c", 3e-6), None)
    assert [trial.seconds for trial in Database(tmp_path / "db", DEVICE).trials("111")] == [2e-6, 3e-6]


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"cpu": "cortex-a53"}, "cpu 'znver3'"), ({"threads": 4}, "threads 1"), ({"tvm": "0.28.0"}, "tvm '0.27.0'")],
)
def test_records_of_another_device_are_refused(tmp_path: Path, changed: dict[str, object], named: str) -> None:
    Database(tmp_path / "db", DEVICE)
    other = dataclasses.replace(DEVICE, **changed)
    with pytest.raises(UserError, match=f"these records are of another device: {named}") as caught:
        Database(tmp_path / "db", other)
    assert "move this directory away" in str(caught.value)
    assert other.key != DEVICE.key


def test_a_record_of_an_unknown_workload_is_named(tmp_path: Path) -> None:
    Database(tmp_path / "db", DEVICE)
    (tmp_path / "db" / RECORDS).write_text(json.dumps([3, record("a", 1e-6)]) + "\n")
    with pytest.raises(UserError, match=f"a record of workload 3, which {WORKLOADS} lacks"):
        Database(tmp_path / "db", DEVICE)


def test_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "db"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(directory, name)) for name in ("one", "two", "three")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    opened = Database(directory, DEVICE)
    assert opened.dropped_bytes == 0
    for workload in ("one", "two", "three"):
        assert [trial.seconds for trial in opened.trials(workload)] == [float(n + 1) for n in range(30)]
    assert len(opened.trials("shared")) == 90


def _write(directory: Path, name: str) -> None:
    database = Database(directory, DEVICE)
    for number in range(30):
        database.append([name, "bQ=="], record(name, number + 1.0), None)
        database.append(["shared", "bQ=="], record(f"{name}{number}", 1.0), None)


def test_native_is_resolved_to_the_cpu(host: Target) -> None:
    descriptor = describe(host)
    assert descriptor.cpu not in ("", "native")
    assert descriptor.threads == 1
    assert descriptor.directory(Path("root")) == Path("root") / f"{descriptor.cpu}-{descriptor.key}"


def test_what_is_known_about_kernels_is_kept(tmp_path: Path) -> None:
    database = Database(tmp_path / "db", DEVICE)
    assert (database.baseline("111"), database.exhausted("111")) == (None, False)
    database.set_baseline("111", 3e-6, "s")
    database.set_baseline("111", 2e-6, "s")
    database.set_exhausted("111")
    opened = Database(tmp_path / "db", DEVICE)
    assert (opened.baseline("111"), opened.exhausted("111")) == (Baseline(2e-6, "s"), True)
    assert not opened.exhausted("222")


def test_writers_killed_at_any_moment_lose_at_most_what_they_had_not_finished(tmp_path: Path) -> None:
    """Six rounds of two writers that are killed; what each had told to be added is there afterwards."""
    directory = tmp_path / "db"
    context = multiprocessing.get_context("fork")
    told: dict[str, int] = {}
    for number in range(6):
        writers = {}
        for name in (f"one{number}", f"two{number}"):
            ours, theirs = context.Pipe(duplex=False)
            writer = context.Process(target=_write_until_killed, args=(directory, name, theirs))
            writer.start()
            theirs.close()
            writers[name] = (writer, ours)
        for name, (writer, ours) in writers.items():
            for _ in range(3 + number):
                told[name] = ours.recv()
            writer.kill()
            writer.join()
            told[name] = _last(ours, told[name])
    opened = Database(directory, DEVICE)
    for name, last in told.items():
        seconds = [trial.seconds for trial in opened.trials(name)]
        # One record more may have been written before its number was told.
        assert seconds in ([float(n + 1) for n in range(last + extra)] for extra in (1, 2)), name
    opened.append(["after", "bQ=="], record("a", 1.0), None)
    assert Database(directory, DEVICE).dropped_bytes == 0


def _write_until_killed(directory: Path, name: str, told: Connection) -> None:
    database = Database(directory, DEVICE)
    for number in itertools.count():
        database.append([name, "bQ=="], record(f"{name}{number}", number + 1.0), None)
        told.send(number)


def _last(told: Connection, so_far: int) -> int:
    """The last number of a dead writer; the end may lie within a message."""
    while True:
        try:
            so_far = told.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            return so_far


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (RECORDS, '{"a": 1}'),
        (RECORDS, '[0, [[["a"], []], ["x"], {}, []]]'),
        (RECORDS, '[0, [[["a"], []], [NaN], {}, []]]'),
        (RECORDS, '[0, [[["a"], []], [-1.0], {}, []]]'),
        ("failures.jsonl", '{"trace": "a"}'),
        ("kernels.jsonl", '{"workload": "111", "baseline_seconds": "soon"}'),
        ("kernels.jsonl", '["111"]'),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, name: str, line: str) -> None:
    database = Database(tmp_path / "db", DEVICE)
    database.append(WORKLOAD, record("a", 2e-6), None)
    path = tmp_path / "db" / name
    number = len(path.read_text().splitlines()) + 1
    with path.open("a") as handle:
        handle.write(line + "\n")
    with pytest.raises(UserError, match=rf"{name}: line {number} is damaged; remove that line"):
        Database(tmp_path / "db", DEVICE)


def test_a_workload_that_is_lost_takes_its_own_records_along_and_no_others(tmp_path: Path) -> None:
    database = Database(tmp_path / "db", DEVICE)
    database.append(["111", "YQ=="], record("a", 2e-6), None)
    database.append(["222", "Yg=="], record("b", 1e-6), None)
    path = tmp_path / "db" / WORKLOADS
    damaged, sound = path.read_text().splitlines()
    path.write_text(f"{damaged[:-5]}\n{sound}\n")
    with pytest.raises(UserError, match="line 1 is damaged; write null in its place: its records are left out then"):
        Database(tmp_path / "db", DEVICE)
    path.write_text(f"null\n{sound}\n")
    opened = Database(tmp_path / "db", DEVICE)
    assert opened.workloads == ("222",)
    assert [trial.seconds for trial in opened.trials("222")] == [1e-6]
    opened.append(["111", "YQ=="], record("c", 3e-6), None)
    assert [trial.seconds for trial in Database(tmp_path / "db", DEVICE).trials("111")] == [3e-6]
